//! What stands before the edges, as a load balancer does: a new connection goes to one that says it is ready.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::scim::try_send;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How often it asks each edge.
const EVERY: Duration = Duration::from_millis(50);

/// Balances for as long as it lives.
pub struct Balancer {
    pub url: String,
    _tasks: JoinSet<()>,
}

struct Edge {
    address: SocketAddr,
    ready: String,
    is_ready: AtomicBool,
}

impl Balancer {
    /// Before edges at these addresses, each with the URL of its admin listener.
    pub async fn start(edges: impl Iterator<Item = (SocketAddr, String)>) -> Self {
        let edge = |(address, admin)| Edge {
            address,
            ready: format!("{admin}/readyz"),
            is_ready: AtomicBool::new(true),
        };
        let edges: Arc<[Edge]> = edges.map(edge).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!(
            "http://{}",
            listener.local_addr().expect("a bound socket has an address")
        );
        let mut tasks = JoinSet::new();
        tasks.spawn(look(Arc::clone(&edges)));
        tasks.spawn(balance(listener, edges));
        Balancer { url, _tasks: tasks }
    }
}

async fn look(edges: Arc<[Edge]>) {
    let http = reqwest::Client::new();
    loop {
        for edge in edges.iter() {
            let answer = try_send(http.get(&edge.ready)).await;
            edge.is_ready
                .store(answer.is_ok_and(|answer| answer.status == 200), Ordering::Relaxed);
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn balance(listener: TcpListener, edges: Arc<[Edge]>) {
    let turn = AtomicUsize::new(0);
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let first = turn.fetch_add(1, Ordering::Relaxed);
        let in_turn = (0..edges.len()).map(|step| &edges[(first + step) % edges.len()]);
        let ready: Vec<_> = in_turn
            .filter(|edge| edge.is_ready.load(Ordering::Relaxed))
            .map(|edge| edge.address)
            .collect();
        connections.spawn(async move {
            for address in ready {
                if let Ok(mut edge) = TcpStream::connect(address).await {
                    let _ = client.set_nodelay(true).and_then(|()| edge.set_nodelay(true));
                    let _ = copy_bidirectional(&mut client, &mut edge).await;
                    return;
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}
