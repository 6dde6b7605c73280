//! Processes by their name, as far as this one sees any (proc(5)). It sends them nothing.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;

use nix::unistd::Pid;

/// Those whose command name, or whose first argument's last part, is this one; but not this process
/// and not its children.
pub fn processes(name: &OsStr) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let number = |name: OsString| name.to_str()?.parse::<i32>().ok();
    let all = entries.flatten().filter_map(|entry| number(entry.file_name()));
    all.filter(|pid| *pid != own && is_called(*pid, name, own)).map(Pid::from_raw).collect()
}

fn is_called(pid: i32, name: &OsStr, own: i32) -> bool {
    // One that ends meanwhile is no longer there.
    let Ok(stat) = fs::read(format!("/proc/{pid}/stat")) else { return false };
    let Some((command, state, parent)) = parsed(&stat) else { return false };
    if parent == own || matches!(state, b'Z' | b'X') {
        return false;
    }
    if command == name.as_bytes() {
        return true;
    }
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let first = arguments.split(|byte| *byte == 0).next().unwrap_or_default();
    let last = first.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    // `nginx: master process` calls itself what it does.
    let word = last.split(|byte| *byte == b':').next().unwrap_or_default();
    last == name.as_bytes()
        || word == name.as_bytes() && last.starts_with(&[name.as_bytes(), b": "].concat())
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
}
