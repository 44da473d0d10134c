//! What a URL means.

use crate::{Kind, Topology};

fn check(url: &str, expect: Option<&str>) {
    let read = Topology::parse(url).ok().map(|topology| match topology.0 {
        Kind::One(one) => format!("one {} {}", one.addr(), one.redis_settings().db()),
        Kind::Cluster(seeds) => {
            let all: Vec<String> = seeds.iter().map(|seed| seed.addr().to_string()).collect();
            format!("cluster {} {:?}", all.join(" "), seeds[0].redis_settings().password())
        }
        Kind::Sentinel {
            sentinels,
            service,
            node,
        } => {
            let all: Vec<String> = sentinels.iter().map(|one| one.addr().to_string()).collect();
            let login = (node.redis_settings().username(), node.redis_settings().password());
            format!(
                "{service} of {} {} {login:?}",
                all.join(" "),
                node.redis_settings().db()
            )
        }
    });
    assert_eq!(read.as_deref(), expect, "{url}");
}

#[test]
fn three_forms_of_url_are_known() {
    check("redis://h:7/3", Some("one h:7 3"));
    check("redis://:p%40ss@h", Some("one h:6379 0"));
    check(
        "redis+cluster://:p%40ss@a:1,b:2",
        Some("cluster a:1 b:2 Some(\"p@ss\")"),
    );
    check("redis+cluster://a", Some("cluster a:6379 None"));
    check(
        "redis+sentinel://u:p@a:1,b:2,c:3/main/5",
        Some("main of a:1 b:2 c:3 5 (Some(\"u\"), Some(\"p\"))"),
    );
    check("redis+sentinel://a:1/main", Some("main of a:1 0 (None, None)"));
}

#[test]
fn any_other_is_refused_without_telling_it() {
    for url in [
        "",
        "localhost:6379",
        "rediss://:secret@h",
        "redis+sentinel://:secret@a:1,b:2",
        "redis+sentinel://:secret@a:1/main/x",
        "redis+cluster://:secret@a:1/0",
        "redis+cluster://:secret@a:x",
        "redis+cluster://:secret@",
        "redis+tls://:secret@h",
    ] {
        check(url, None);
        let told = format!("{:?} {0}", Topology::parse(url).unwrap_err());
        assert!(!told.contains("secret"), "{told}");
    }
}
