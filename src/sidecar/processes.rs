//! Processes by their name, as far as this one sees any (proc(5)). It sends them nothing.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;

use nix::unistd::Pid;

/// The kernel keeps so many bytes of a command's name (proc_pid_comm(5)).
const COMMAND_BYTES_MAX: usize = 15;
/// A script's path stands behind its interpreter, and what that is given with it.
const SCRIPT_ARGUMENTS: usize = 3;

/// Those whose command name, or whose first argument's last part, is this one; but not this process
/// and not its children. Whose parent has the name as well is its parent's matter: a worker of a
/// server that is told by itself may end of it.
pub fn processes(name: &OsStr) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let number = |name: OsString| name.to_str()?.parse::<i32>().ok();
    let all = entries.flatten().filter_map(|entry| number(entry.file_name()));
    let called = |pid: i32| Some((pid, parent_if_called(pid, name, own)?));
    let found: Vec<(i32, i32)> = all.filter(|pid| *pid != own).filter_map(called).collect();
    let is_found = |parent: i32| found.iter().any(|(pid, _)| *pid == parent);
    let first = found.iter().filter(|(_, parent)| !is_found(*parent));
    first.map(|(pid, _)| Pid::from_raw(*pid)).collect()
}

/// The parent of one that has the name.
fn parent_if_called(pid: i32, name: &OsStr, own: i32) -> Option<i32> {
    // One that ends meanwhile is no longer there.
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let (command, state, parent) = parsed(&stat)?;
    if parent == own || matches!(state, b'Z' | b'X') {
        return None;
    }
    let name = name.as_bytes();
    let arguments = || fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    (command == name || is_called(name, command, &arguments())).then_some(parent)
}

/// The same by the arguments that it was started with.
fn is_called(name: &[u8], command: &[u8], arguments: &[u8]) -> bool {
    let mut arguments = arguments.split(|byte| *byte == 0).map(last_part);
    let last = arguments.next().unwrap_or_default();
    // `nginx: master process` calls itself what it does.
    let word = last.split(|byte| *byte == b':').next().unwrap_or_default();
    if last == name || word == name && last.starts_with(&[name, b": "].concat()) {
        return true;
    }
    // The name of a script that is longer than the kernel keeps.
    let is_cut = name.len() > COMMAND_BYTES_MAX && name.starts_with(command);
    is_cut
        && command.len() == COMMAND_BYTES_MAX
        && arguments.take(SCRIPT_ARGUMENTS).any(|part| part == name)
}

fn last_part(argument: &[u8]) -> &[u8] {
    argument.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// Command name, state and parent: `PID (COMMAND) STATE PARENT …`, where the command may hold
/// anything.
fn parsed(stat: &[u8]) -> Option<(&[u8], u8, i32)> {
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = stat.get(close + 2..)?.split(|byte| *byte == b' ');
    let state = *fields.next()?.first()?;
    let parent = str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    Some((stat.get(open + 1..close)?, state, parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        assert_eq!(parsed(b"12 (a) b (c)) S 1 12 12 0"), Some((&b"a) b (c)"[..], b'S', 1)));
        assert_eq!(parsed(b"12 (x) Z 7 1"), Some((&b"x"[..], b'Z', 7)));
        assert_eq!(parsed(b""), None);
        assert_eq!(parsed(b"12 (x)"), None);
    }

    #[test]
    fn by_arguments() {
        let called = |name: &str, command: &str, arguments: &str| {
            is_called(name.as_bytes(), command.as_bytes(), arguments.as_bytes())
        };
        assert!(called("nginx", "x", "/usr/sbin/nginx\0-g\0"));
        assert!(called("nginx", "x", "nginx: master process /usr/sbin/nginx\0"));
        assert!(!called("nginx", "x", "nginx:8080\0") && !called("nginx", "x", "cat\0nginx\0"));
        let (long, cut) = ("my-application-server.sh", "my-application-");
        assert!(called(long, cut, "/bin/sh\0-eu\0/srv/my-application-server.sh\0"));
        assert!(!called(long, cut, "/bin/sh\0/srv/my-application-client.sh\0"));
        assert!(!called(long, "cat", "cat\0/srv/my-application-server.sh\0"));
    }
}
