//! What a supervisor such as systemd hears: that the server is ready, reloads, ends, is alive
//! (sd_notify(3)). Without a supervisor it says nothing.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::sys::serving::monotonic_microseconds;

/// A supervisor's socket, if there is a supervisor.
#[derive(Default)]
pub struct Notifier {
    socket: Option<UnixDatagram>,
}

impl Notifier {
    /// `address` is `NOTIFY_SOCKET`: an absolute path, or `@` and an abstract name.
    pub fn connect(address: Option<&OsStr>) -> io::Result<Self> {
        let Some(address) = address.map(OsStrExt::as_bytes) else { return Ok(Self::default()) };
        let address = match address {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(OsStr::from_bytes(address))?,
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        // A supervisor that hangs does not hold up the server.
        socket.set_nonblocking(true)?;
        Ok(Self { socket: Some(socket) })
    }

    pub fn ready(&self, status: &str) -> io::Result<()> {
        self.tell(&format!("READY=1\nSTATUS={status}\n"))
    }

    pub fn reloading(&self) -> io::Result<()> {
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}\n", monotonic_microseconds()))
    }

    pub fn stopping(&self, status: &str) -> io::Result<()> {
        self.tell(&format!("STOPPING=1\nSTATUS={status}\n"))
    }

    pub fn alive(&self) -> io::Result<()> {
        self.tell("WATCHDOG=1\n")
    }

    fn tell(&self, text: &str) -> io::Result<()> {
        match &self.socket {
            Some(socket) => socket.send(text.as_bytes()).map(|_| ()),
            None => Ok(()),
        }
    }
}
