//! Backups and what is restored from them: a name is there only when all of it is.

use std::fs;

use super::embedded::{State, left_clean, value, with_secrets};
use super::tracer::Tracer;
use super::{At, Operation, at_each, put_back};
use crate::harness::{Ended, World};
use crate::serve_faults::Organization;

/// `store backup` of a store with three secrets.
struct Backup(Organization, State);

/// `store restore`, where the master key alone is.
struct Restore(Organization, State);

fn state(organization: &Organization, data: &str, at: &dyn std::fmt::Display) -> State {
    let verify = ["store", "verify", "--data", &organization.world.text(data)];
    let verified = organization.world.inject(verify).run();
    assert_eq!(verified.exit(), 0, "{at}\n{}", verified.whole());
    State::of(&organization.world, data, "acme", at)
}

/// A folder with the master key alone, in a world with `data`.
fn only_key(world: &World, folder: &str) {
    put_back(world, "data", folder);
    for file in ["store.db", "store.db-shm", "store.db-wal"] {
        // The last two are there only where somebody has not closed it.
        let _ = fs::remove_file(world.path(folder).join(file));
    }
}

#[track_caller]
fn ends_well(ended: &Ended, at: &At) {
    assert_eq!(ended.exit(), 0, "{at}\n{}", ended.whole());
}

impl Operation for Backup {
    fn world(&self) -> &World {
        &self.0.world
    }

    fn again(&mut self, tracer: &Tracer, _: &At) -> Ended {
        put_back(self.world(), "kept", "data");
        put_back(self.world(), "none", "copies");
        fs::create_dir(self.world().path("copies")).expect("a free name");
        tracer.around(self.0.local("store backup ../copies/b")).run()
    }

    fn judge(&mut self, ended: &Ended, at: &At) {
        let world = self.world();
        let is_made = world.path("copies/b").exists();
        assert!(is_made || ended.exit() != 0, "{at}\n{}", ended.whole());
        if is_made {
            let restore = ["store", "restore", "../copies/b", "--data", "../other"];
            put_back(world, "key", "other");
            ends_well(&world.inject(restore).run(), at);
            assert_eq!(state(&self.0, "other", at), self.1, "{at}");
            fs::remove_file(world.path("copies/b")).expect("it is ours");
        }
        ends_well(&self.0.local("store backup ../copies/b").run(), at);
        let left = fs::read_dir(world.path("copies")).expect("it is there").count();
        assert_eq!(left, 1, "{at}: something is left beside it");
        assert_eq!(state(&self.0, "data", at), self.1, "{at}");
        ends_well(&self.0.local("secret set NEXT_KEY").stdin(value("next")).run(), at);
        left_clean(world, "data", at);
    }
}

impl Operation for Restore {
    fn world(&self) -> &World {
        &self.0.world
    }

    fn again(&mut self, tracer: &Tracer, _: &At) -> Ended {
        put_back(self.world(), "key", "data");
        tracer.around(self.0.local("store restore ../b")).run()
    }

    fn judge(&mut self, ended: &Ended, at: &At) {
        let is_there = self.world().path("data/store.db").exists();
        assert!(is_there || ended.exit() != 0, "{at}\n{}", ended.whole());
        if !is_there {
            ends_well(&self.0.local("store restore ../b").run(), at);
        }
        assert_eq!(state(&self.0, "data", at), self.1, "{at}");
        ends_well(&self.0.local("secret set NEXT_KEY").stdin(value("next")).run(), at);
        left_clean(self.world(), "data", at);
    }
}

#[test]
fn a_backup() {
    let organization = with_secrets();
    let state = state(&organization, "data", &"prepared");
    put_back(&organization.world, "data", "kept");
    only_key(&organization.world, "key");
    at_each("backup", &mut Backup(organization, state));
}

#[test]
fn a_restore() {
    let organization = with_secrets();
    let state = state(&organization, "data", &"prepared");
    organization.local("store backup ../b").run().code(0);
    only_key(&organization.world, "key");
    at_each("restore", &mut Restore(organization, state));
}
