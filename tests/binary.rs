//! The binary as a file: static, position-independent, hardened. It reads the ELF headers itself
//! (elf(5)), so that nothing has to be installed for it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{INJECT, contains};

const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_GNU_STACK: u32 = 0x6474_e551;
const PT_GNU_RELRO: u32 = 0x6474_e552;
const ET_DYN: u16 = 3;
const EXECUTABLE: u32 = 1;
const WRITABLE: u32 = 2;
const PT_LOAD: u32 = 1;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_RPATH: u64 = 15;
const DT_TEXTREL: u64 = 22;
const DT_BIND_NOW: u64 = 24;
const DT_RUNPATH: u64 = 29;
const DT_FLAGS: u64 = 30;
const DT_FLAGS_1: u64 = 0x6fff_fffb;
const DF_TEXTREL: u64 = 4;
const DF_1_PIE: u64 = 0x0800_0000;

struct Segment {
    kind: u32,
    flags: u32,
    offset: usize,
    size: usize,
}

#[test]
fn it_asks_for_no_loader_and_no_library() {
    for (bytes, segments) in binaries() {
        assert!(segments.iter().all(|segment| segment.kind != PT_INTERP), "it names a loader");
        assert!(dynamic(&bytes, &segments).iter().all(|(tag, _)| *tag != DT_NEEDED), "a library");
    }
}

#[test]
fn it_can_be_loaded_anywhere() {
    for (bytes, segments) in binaries() {
        assert_eq!(number(&bytes, 16, 2), u64::from(ET_DYN), "e_type");
        let pie = dynamic(&bytes, &segments)
            .iter()
            .any(|(tag, value)| *tag == DT_FLAGS_1 && value & DF_1_PIE != 0);
        assert!(pie, "DF_1_PIE is not set");
    }
}

#[test]
fn relocations_are_read_only_and_nothing_is_writable_and_executable() {
    for (bytes, segments) in binaries() {
        assert!(segments.iter().any(|segment| segment.kind == PT_GNU_RELRO), "no RELRO");
        let now = dynamic(&bytes, &segments)
            .iter()
            .any(|(tag, value)| *tag == DT_BIND_NOW || (*tag == DT_FLAGS_1 && value & 1 != 0));
        assert!(now, "RELRO is partial");
        let stack = segments.iter().find(|segment| segment.kind == PT_GNU_STACK);
        assert_eq!(stack.expect("it says what its stack is").flags & EXECUTABLE, 0, "stack");
        for segment in segments.iter().filter(|segment| segment.kind == PT_LOAD) {
            assert_ne!(segment.flags & (WRITABLE | EXECUTABLE), WRITABLE | EXECUTABLE);
        }
    }
}

#[test]
fn nothing_is_looked_for_elsewhere_and_no_code_is_written_to() {
    for (bytes, segments) in binaries() {
        for (tag, value) in dynamic(&bytes, &segments) {
            assert!(![DT_RPATH, DT_RUNPATH].contains(&tag), "a path to look for libraries in");
            let writes_code = tag == DT_TEXTREL || (tag == DT_FLAGS && value & DF_TEXTREL != 0);
            assert!(!writes_code, "relocations in code");
        }
        let code =
            segments.iter().filter(|each| each.kind == PT_LOAD && each.flags & EXECUTABLE != 0);
        assert_eq!(code.count(), 1, "code lies in one segment");
    }
}

/// What the debugger reads names them all, and is in no segment; a release has none of it.
#[test]
fn what_is_loaded_names_no_folder_of_the_sources() {
    for (bytes, segments) in binaries() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/");
        for segment in segments.iter().filter(|each| each.kind == PT_LOAD) {
            let loaded = &bytes[segment.offset..segment.offset + segment.size];
            assert!(!contains(loaded, folder.as_bytes()), "`{folder}`");
        }
    }
}

/// The one that all tests run, and the release that tests/run built, which is linked otherwise.
fn binaries() -> Vec<(Vec<u8>, Vec<Segment>)> {
    let release = std::env::var_os("RELEASE").map(PathBuf::from);
    [PathBuf::from(INJECT)].into_iter().chain(release).map(|path| binary(&path)).collect()
}

fn binary(path: &Path) -> (Vec<u8>, Vec<Segment>) {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(&bytes[..6], b"\x7fELF\x02\x01", "64 bits, little endian");
    let at = |bytes: &[u8], offset, size| number(bytes, offset, size) as usize;
    let (table, size, count) = (at(&bytes, 32, 8), at(&bytes, 54, 2), at(&bytes, 56, 2));
    let segment = |index| {
        let start = table + index * size;
        Segment {
            kind: number(&bytes, start, 4) as u32,
            flags: number(&bytes, start + 4, 4) as u32,
            offset: at(&bytes, start + 8, 8),
            size: at(&bytes, start + 32, 8),
        }
    };
    let segments = (0..count).map(segment).collect();
    (bytes, segments)
}

fn dynamic(bytes: &[u8], segments: &[Segment]) -> Vec<(u64, u64)> {
    let found = segments.iter().find(|segment| segment.kind == PT_DYNAMIC);
    let segment = found.expect("a static-pie relocates itself by its dynamic section");
    bytes[segment.offset..segment.offset + segment.size]
        .chunks_exact(16)
        .map(|entry| (number(entry, 0, 8), number(entry, 8, 8)))
        .take_while(|(tag, _)| *tag != DT_NULL)
        .collect()
}

fn number(bytes: &[u8], offset: usize, size: usize) -> u64 {
    let mut wide = [0; 8];
    wide[..size].copy_from_slice(&bytes[offset..offset + size]);
    u64::from_le_bytes(wide)
}
