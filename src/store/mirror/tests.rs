//! What an image finds, beside what looking at each name finds.

use proptest::prelude::*;

use super::*;

fn name() -> impl Strategy<Value = String> {
    "[A-C][A-C_]{0,5}"
}

fn names() -> impl Strategy<Value = BTreeMap<String, i64>> {
    prop::collection::btree_map(name(), 0..20_i64, 0..200)
}

fn image(names: &BTreeMap<String, i64>) -> Base {
    let mut builder = Builder::default();
    names.iter().for_each(|(name, time)| builder.push(name, *time));
    builder.build()
}

fn sort() -> impl Strategy<Value = Sort> {
    prop::sample::select(vec![
        Sort::Name,
        Sort::NameDescending,
        Sort::Updated,
        Sort::UpdatedDescending,
    ])
}

/// Each name looked at by itself.
fn naive(names: &BTreeMap<String, i64>, want: Want<'_>, most: usize) -> Vec<After> {
    let all = names.iter().filter(|(name, _)| name.contains(want.part));
    let all = all.map(|(name, time)| After { updated_at: *time, name: name.clone() });
    let behind = |one: &After| want.after.is_none_or(|after| want.sort.compare(one, after).is_gt());
    let mut found: Vec<_> = all.filter(behind).collect();
    found.sort_by(|one, other| want.sort.compare(one, other));
    found.truncate(most);
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..Default::default() })]

    #[test]
    fn it_finds_what_is_there(
        names in names(),
        changes in prop::collection::btree_map(name(), prop::option::of(0..20_i64), 0..60),
        // What stands between names is in none of them.
        part in "[A-C_\n]{0,3}",
        sort in sort(),
        after in prop::option::of((0..20_i64, name())),
        most in 1..40_usize,
    ) {
        let after = after.map(|(updated_at, name)| After { updated_at, name });
        let want = Want { part: &part, sort, after: after.as_ref() };
        let since: BTreeMap<Box<str>, _> =
            changes.iter().map(|(name, time)| (name.as_str().into(), *time)).collect();
        let mut now = names.clone();
        for (name, time) in changes {
            match time {
                Some(time) => now.insert(name, time),
                None => now.remove(&name),
            };
        }
        let base = Arc::new(image(&names));
        let sorted_in = Arc::new(base.with(&since));
        let read_at = Instant::now();
        let mirror = Mirror { base, since, sequence: 0, read_at };
        let expected = naive(&now, want, most);
        prop_assert_eq!(&mirror.find(want, most), &expected);
        let mirror = Mirror { base: sorted_in, since: BTreeMap::new(), ..mirror };
        prop_assert_eq!(&mirror.find(want, most), &expected);
        let mut around = mirror.around("B_B", now.len());
        around.sort();
        prop_assert_eq!(around, now.into_keys().collect::<Vec<_>>());
    }
}

/// More than are looked through at a time.
#[test]
fn from_the_last_of_many() {
    let names = (0..10_000).map(|number| (format!("NAME_{number:05}"), i64::from(number % 7)));
    let names: BTreeMap<String, i64> = names.collect();
    let mirror = Mirror {
        base: Arc::new(image(&names)),
        since: BTreeMap::new(),
        sequence: 0,
        read_at: Instant::now(),
    };
    for sort in [Sort::Name, Sort::NameDescending, Sort::Updated, Sort::UpdatedDescending] {
        for part in ["7", "_0000", "99", "NAME", "X", ""] {
            let mut after = None;
            loop {
                let want = Want { part, sort, after: after.as_ref() };
                let found = mirror.find(want, 997);
                assert_eq!(found, naive(&names, want, 997), "{part}");
                after = found.last().cloned();
                if after.is_none() {
                    break;
                }
            }
        }
    }
    let around = mirror.around("NAME_05000X", 100);
    assert_eq!(around.len(), 100);
    assert!(around.contains(&"NAME_05000".to_owned()) && around.contains(&"NAME_05001".to_owned()));
}
