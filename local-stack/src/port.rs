//! Ports of the loopback interface.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, bail};

/// How often a free port may turn out to be taken.
const TRIES: usize = 5;

/// Starts a server on `port`, or for 0 on a port that is free now; another one when it was taken in between.
pub(crate) fn on<T>(port: u16, start: impl Fn(u16) -> Result<T>) -> Result<(u16, T)> {
    if port != 0 {
        check(port)?;
        return Ok((port, start(port)?));
    }
    let mut tries = 1;
    loop {
        let port = free()?;
        match start(port) {
            Ok(started) => return Ok((port, started)),
            Err(error) if tries < TRIES && error.to_string().contains("Address already in use") => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

/// One that is free now.
pub(crate) fn free() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Fails, in words, when a port that was asked for cannot be listened on. Port 0 always can.
pub fn check(port: u16) -> Result<()> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => bail!("port {port} is taken by another process"),
        Err(error) => Err(error).with_context(|| format!("port {port} cannot be listened on")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_refused_and_a_free_one_is_not() {
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = holder.local_addr().unwrap().port();
        let error = check(port).unwrap_err().to_string();
        assert_eq!(error, format!("port {port} is taken by another process"));
        drop(holder);
        check(port).unwrap();
    }
}
