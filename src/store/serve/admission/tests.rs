//! Who gets which share of the places, and what is left to others.

use super::*;

fn peer(address: &str) -> Peer {
    Peer::Address(address.parse().expect(address))
}

fn of_descriptors(descriptors: u64) -> Admission {
    Admission::new(Places::of(descriptors))
}

/// As many as are let in.
fn fill(admission: &Admission, peer: Peer) -> Vec<Slot> {
    std::iter::from_fn(|| admission.connection(peer).ok()).collect()
}

/// What one address gets that is alone.
const ALONE: usize = CONNECTIONS_MAX / (CONNECTIONS_FREE_PER_ADDRESS + 1);

#[test]
fn one_address_leaves_room_for_others() {
    let admission = of_descriptors(u64::MAX);
    let slots = fill(&admission, peer("10.0.0.1"));
    assert_eq!(slots.len(), ALONE);
    // The same machine, through the other family's socket.
    assert_eq!(admission.connection(peer("::ffff:10.0.0.1")).err(), Some(Crowded::Address));
    assert!(admission.connection(peer("10.0.0.2")).is_ok());
    drop(slots);
    assert_eq!(admission.connections(), 0);
    assert_eq!(fill(&admission, peer("10.0.0.1")).len(), ALONE);
}

#[test]
fn many_greedy_addresses_leave_room_too() {
    let admission = of_descriptors(u64::MAX);
    let greedy = (0..20).map(|n| fill(&admission, peer(&format!("10.1.0.{n}"))));
    let greedy: Vec<Vec<Slot>> = greedy.collect();
    assert!(greedy.iter().all(|slots| slots.len() > 1), "each gets some");
    assert!(admission.connections() < CONNECTIONS_MAX, "and some are left");
    assert!(admission.connection(peer("10.0.0.1")).is_ok());
    assert!(admission.connection(Peer::Unix).is_ok());
}

#[test]
fn an_ipv6_network_is_one_address() {
    let admission = of_descriptors(u64::MAX);
    let slots = fill(&admission, peer("2001:db8::1"));
    let other = |address| admission.connection(peer(address)).err();
    assert_eq!(slots.len(), ALONE);
    assert_eq!(other("2001:db8::ffff:1:2:3"), Some(Crowded::Address));
    assert_eq!(other("2001:db8:0:1::1"), None);
}

#[test]
fn who_watches_is_in_nobody_s_way_who_does_not() {
    let admission = of_descriptors(u64::MAX);
    let acme = OrgName::parse("acme").expect("a slug");
    let watching = || {
        let slot = admission.connection(peer("10.0.0.1")).ok()?;
        admission.watches(&slot, &acme);
        // Once is enough.
        admission.watches(&slot, &acme);
        Some(slot)
    };
    let slots: Vec<Slot> = std::iter::from_fn(watching).collect();
    let share = CONNECTIONS_WATCHING_MAX / 4 * 3;
    assert_eq!(slots.iter().filter(|slot| slot.is_watching()).count(), share);
    assert_eq!(slots.len(), share + ALONE, "what is over counts as any other");
    let other = admission.connection(peer("10.0.0.2")).expect("there is room");
    admission.watches(&other, &OrgName::parse("globex").expect("a slug"));
    assert!(other.is_watching(), "another organization has room");
    assert_eq!(admission.connections(), share + ALONE + 1);
    drop((slots, other));
    assert_eq!(admission.connections(), 0);
}

#[test]
fn watches_have_the_descriptors_that_are_left() {
    let most = Places { any: CONNECTIONS_MAX, watching: CONNECTIONS_WATCHING_MAX };
    assert_eq!(Places::of(u64::MAX), most);
    assert!(!most.are_few() && Places::of(1 << 14).are_few());
    let kept = DESCRIPTORS_KEPT as u64;
    assert_eq!(Places::of(kept + 5000), Places { any: CONNECTIONS_MAX, watching: 904 });
    assert_eq!(Places::of(kept + 100), Places { any: 100, watching: 0 });
}

#[test]
fn few_descriptors_are_few_connections() {
    let admission = of_descriptors(DESCRIPTORS_KEPT as u64 + 8);
    assert_eq!(fill(&admission, peer("10.0.0.1")).len(), 2);
    let slots: Vec<_> =
        (0..8).map(|n| admission.connection(peer(&format!("10.0.1.{n}")))).collect();
    assert!(slots.iter().all(Result::is_ok));
    assert_eq!(admission.connection(Peer::Unix).err(), Some(Crowded::All));
    drop(slots);
    assert!(admission.connection(Peer::Unix).is_ok());
    assert_eq!(fill(&of_descriptors(0), Peer::Unix).len(), 1);
}

#[test]
fn requests_and_bodies_have_an_end() {
    let admission = of_descriptors(u64::MAX);
    let requests: Vec<_> = std::iter::from_fn(|| admission.request()).collect();
    assert_eq!((requests.len(), admission.requests_under_way()), (REQUESTS_MAX, REQUESTS_MAX));
    // One address leaves as much as it has, and the next one half of that.
    let mut taken: Vec<BodyPermit> = Vec::new();
    for (one, most) in [("10.0.0.1", 1 << 25), ("10.0.0.2", 1 << 24), ("10.0.0.3", 1 << 23)] {
        let mut body = admission.body(peer(one), most).expect("it is the first of its address");
        assert!(body.grow(1).is_err());
        assert!(admission.body(peer(one), 1).is_none());
        taken.push(body);
    }
    assert_eq!(admission.body_bytes(), BODIES_BYTES_MAX / 8 * 7);
    drop(taken);
    assert!(admission.body(peer("10.0.0.1"), BODIES_BYTES_MAX).is_some());
}

#[test]
fn handshakes_of_one_address_wait_for_each_other_and_for_nobody_else() {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    let admission = of_descriptors(u64::MAX);
    let begin = |address: &str| match pin!(admission.handshake(peer(address)))
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(permit) => Some(permit),
        Poll::Pending => None,
    };
    let mut greedy: Vec<_> = std::iter::from_fn(|| begin("10.0.0.1")).collect();
    assert_eq!(greedy.len(), HANDSHAKES_PER_ADDRESS_MAX);
    assert!(begin("10.0.0.2").is_some());
    greedy.pop();
    assert!(begin("10.0.0.1").is_some());
    let others = (0..HANDSHAKES_MAX).map_while(|n| begin(&format!("10.1.{}.{}", n / 256, n % 256)));
    let others: Vec<_> = others.collect();
    assert_eq!(others.len() + greedy.len(), HANDSHAKES_MAX, "and all together have an end");
    drop((greedy, others));
    for n in 0..2 * CONNECTIONS_MAX {
        begin(&format!("10.2.{}.{}", n / 256, n % 256)).expect("there is room");
    }
    let remembered = admission.handshakes_by_source.lock().expect("whole").len();
    assert!(remembered <= CONNECTIONS_MAX, "{remembered}");
}
