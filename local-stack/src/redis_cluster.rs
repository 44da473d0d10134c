//! A private Redis Cluster: three masters, each with a replica, on loopback.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::redis::{Node, Options, Redis};
use crate::{port, secret};

const MASTERS: usize = 3;
const SLOTS: usize = 16_384;

/// How long the nodes may take to know each other, and replicas to have what their masters have.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

/// Running nodes. Dropped, they are killed.
#[derive(Debug)]
pub struct RedisCluster {
    /// Masters as it begins, and then their replicas in the same order.
    pub nodes: Vec<Redis>,
    password: String,
}

impl RedisCluster {
    /// Starts the nodes in folders of `folder` and makes a Cluster of them. Answers when every replica is in step.
    pub fn start(folder: &Path) -> Result<Self> {
        let password = secret::random()?;
        let mut nodes = Vec::new();
        for number in 0..2 * MASTERS {
            let node = Node {
                bus_port: port::free()?,
                password: password.clone(),
            };
            let options = Options {
                cluster: Some(node),
                ..Options::default()
            };
            nodes.push((Redis::start(&folder.join(format!("node-{number}")), &options)?, options));
        }
        let meet = nodes.iter().map(|(node, options)| {
            let bus = options.cluster.as_ref().map_or(0, |node| node.bus_port);
            format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port())
        });
        let meet: Vec<String> = meet.collect();
        let cluster = RedisCluster {
            nodes: nodes.into_iter().map(|(node, _)| node).collect(),
            password,
        };
        cluster.join(&meet)?;
        Ok(cluster)
    }

    /// Its `REDIS_URL`: all nodes, with the password.
    pub fn url(&self) -> String {
        let all: Vec<String> = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port()))
            .collect();
        format!("redis+cluster://:{}@{}", self.password, all.join(","))
    }

    /// The replica of a master as the Cluster began, or the master of a replica.
    pub fn partner(number: usize) -> usize {
        (number + MASTERS) % (2 * MASTERS)
    }

    fn join(&self, meet: &[String]) -> Result<()> {
        for (number, node) in self.nodes.iter().enumerate() {
            ok(&node.ask(&format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1))?)?;
        }
        for meet in &meet[1..] {
            ok(&self.nodes[0].ask(meet)?)?;
        }
        for (number, node) in self.nodes[..MASTERS].iter().enumerate() {
            let (first, end) = (SLOTS * number / MASTERS, SLOTS * (number + 1) / MASTERS);
            ok(&node.ask(&format!("CLUSTER ADDSLOTSRANGE {first} {}", end - 1))?)?;
        }
        for number in 0..MASTERS {
            let id = self.nodes[number].ask("CLUSTER MYID")?;
            let id = id.lines().nth(1).context("a node without an id")?;
            let replica = &self.nodes[RedisCluster::partner(number)];
            until(|| Ok(replica.ask(&format!("CLUSTER REPLICATE {id}"))?.starts_with("+OK")))?;
        }
        for node in &self.nodes {
            until(|| {
                let (state, role) = (node.ask("CLUSTER INFO")?, node.ask("INFO replication")?);
                let in_step = role.contains("master_link_status:up") || role.contains("connected_slaves:1");
                let known = format!("cluster_known_nodes:{}", 2 * MASTERS);
                Ok(in_step && state.contains("cluster_state:ok") && state.contains(&known))
            })?;
        }
        Ok(())
    }
}

fn ok(answer: &str) -> Result<()> {
    if answer.starts_with("+OK") {
        return Ok(());
    }
    bail!("a node refuses to join: {answer}")
}

fn until(mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !done()? {
        if Instant::now() > deadline {
            bail!("the nodes do not become a Cluster");
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn a_replica_takes_over_when_its_master_dies() {
        let mut cluster = test::RedisCluster::start_fresh();
        cluster.nodes[0].process().kill().unwrap();
        let replica = RedisCluster::partner(0);
        until(|| Ok(cluster.nodes[replica].ask("ROLE")?.contains("master"))).unwrap();
    }
}
