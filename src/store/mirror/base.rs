//! Many names, sorted, in one piece of memory, and how those that hold a part are found: by going
//! through all of that memory at once. It is never changed, only made anew.

use std::collections::BTreeMap;
use std::ops::Range;

use memchr::memmem::Finder;

use crate::store::mirror::Want;
use crate::store::storage::{After, Sort};

/// Stands behind each name; no name holds it.
const END: u8 = b'\n';
/// Names that are looked through at a time where the last of them come first.
const BLOCK: usize = 4096;

/// Names in their order, each with its time.
pub struct Base {
    text: Vec<u8>,
    /// Where each name begins in the text, and where the text ends.
    starts: Vec<usize>,
    times: Vec<i64>,
    /// The names' places, in the order of time and name.
    by_time: Vec<u32>,
}

/// Takes names in their order.
#[derive(Default)]
pub struct Builder {
    text: Vec<u8>,
    starts: Vec<usize>,
    times: Vec<i64>,
}

/// What is to be found in a name.
pub struct Part<'a>(Option<Finder<'a>>);

impl<'a> Part<'a> {
    /// An empty one is in every name.
    pub fn new(part: &'a str) -> Self {
        Self((!part.is_empty()).then(|| Finder::new(part)))
    }

    pub fn is_in(&self, name: &[u8]) -> bool {
        self.0.as_ref().is_none_or(|finder| finder.find(name).is_some())
    }
}

impl Builder {
    pub fn push(&mut self, name: &str, time: i64) {
        self.starts.push(self.text.len());
        self.text.extend_from_slice(name.as_bytes());
        self.text.push(END);
        self.times.push(time);
    }

    pub fn build(self) -> Base {
        let places = u32::try_from(self.times.len()).expect("no memory holds four billion names");
        self.build_in((0..places).collect())
    }

    /// With the places in about the order of time.
    fn build_in(mut self, mut by_time: Vec<u32>) -> Base {
        self.starts.push(self.text.len());
        let (mut text, mut starts, mut times) = (self.text, self.starts, self.times);
        text.shrink_to_fit();
        starts.shrink_to_fit();
        times.shrink_to_fit();
        // Names are in order, so of two that changed at once the first comes first.
        by_time.sort_by_key(|&place| (times[place as usize], place));
        Base { text, starts, times, by_time }
    }
}

impl Base {
    pub fn len(&self) -> usize {
        self.times.len()
    }

    pub fn name(&self, place: usize) -> &[u8] {
        &self.text[self.starts[place]..self.starts[place + 1] - 1]
    }

    pub fn bytes(&self) -> usize {
        self.text.len() + 20 * self.len()
    }

    /// The same with these changes: when each was, or that it is gone.
    pub fn with(&self, changes: &BTreeMap<Box<str>, Option<i64>>) -> Self {
        let mut all = Builder::default();
        all.text.reserve(self.text.len());
        let mut changes = changes.iter().peekable();
        // Where each of these names stands now, where it still has its time.
        let mut moved = Vec::with_capacity(self.len());
        let mut changed = Vec::new();
        let mut take = |all: &mut Builder, name: &str, time: Option<i64>| {
            if let Some(time) = time {
                changed.push(all.place());
                all.push(name, time);
            }
        };
        for place in 0..self.len() {
            let name = self.name(place);
            while let Some((other, time)) = changes.next_if(|(other, _)| other.as_bytes() < name) {
                take(&mut all, other, *time);
            }
            match changes.next_if(|(other, _)| other.as_bytes() == name) {
                Some((_, time)) => {
                    moved.push(None);
                    take(&mut all, &self.text_of(place), *time);
                }
                None => {
                    moved.push(Some(all.place()));
                    all.push(&self.text_of(place), self.times[place]);
                }
            }
        }
        changes.for_each(|(name, time)| take(&mut all, name, *time));
        // What is sorted already is sorted again at little cost.
        let kept = self.by_time.iter().filter_map(|&place| moved[place as usize]);
        let by_time = kept.chain(changed).collect();
        all.build_in(by_time)
    }

    /// Up to `most` names that are wanted and not passed over.
    pub fn find(
        &self,
        part: &Part<'_>,
        want: Want<'_>,
        most: usize,
        passed: impl Fn(&str) -> bool,
    ) -> Vec<After> {
        let mut found = Vec::with_capacity(most.min(self.len()));
        let mut take = |place: usize| {
            let name = self.text_of(place);
            if !passed(&name) {
                found.push(After { updated_at: self.times[place], name: name.into_owned() });
            }
            found.len() < most
        };
        let after = want.after;
        match want.sort {
            Sort::Name => {
                let first = after.map_or(0, |after| self.names_up_to(&after.name));
                self.each_holding(part, first..self.len(), take);
            }
            Sort::NameDescending => {
                let end = after.map_or(self.len(), |after| self.names_below(&after.name));
                self.each_holding_back(part, end, take);
            }
            Sort::Updated => {
                let first = after.map_or(0, |after| self.times_up_to(after));
                let holding = self.holding(part);
                let mut places = self.by_time[first..].iter().map(|&place| place as usize);
                places.by_ref().filter(|&place| holding.has(place)).all(&mut take);
            }
            Sort::UpdatedDescending => {
                let end = after.map_or(self.len(), |after| self.times_below(after));
                let holding = self.holding(part);
                let mut places = self.by_time[..end].iter().rev().map(|&place| place as usize);
                places.by_ref().filter(|&place| holding.has(place)).all(&mut take);
            }
        }
        found
    }

    /// Up to `most` names around the place where this one would stand.
    pub fn around(&self, name: &str, most: usize, passed: impl Fn(&str) -> bool) -> Vec<String> {
        let place = self.names_below(name);
        let first = place.saturating_sub(most / 2).min(self.len().saturating_sub(most));
        let names = (first..self.len()).take(most).map(|place| self.text_of(place));
        names.filter(|name| !passed(name)).map(|name| name.into_owned()).collect()
    }

    fn text_of(&self, place: usize) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.name(place))
    }

    /// Which names hold the part, all at once.
    fn holding(&self, part: &Part<'_>) -> Places {
        let mut places = Places(vec![0; self.len().div_ceil(64)]);
        self.each_holding(part, 0..self.len(), |place| {
            places.0[place / 64] |= 1 << (place % 64);
            true
        });
        places
    }

    /// Goes through the names that hold the part, in their order, until `take` has enough.
    fn each_holding(
        &self,
        part: &Part<'_>,
        mut range: Range<usize>,
        mut take: impl FnMut(usize) -> bool,
    ) {
        let Some(finder) = &part.0 else {
            range.all(take);
            return;
        };
        let end = self.starts[range.end];
        let mut from = self.starts[range.start];
        let mut place = range.start;
        while let Some(at) = finder.find(&self.text[from..end]) {
            let at = from + at;
            place = self.place_at(place, at);
            // What is asked for may hold what stands between names.
            if at + finder.needle().len() >= self.starts[place + 1] {
                from = at + 1;
                continue;
            }
            if !take(place) {
                return;
            }
            place += 1;
            from = self.starts[place];
        }
    }

    /// The same from the last name on.
    fn each_holding_back(&self, part: &Part<'_>, end: usize, mut take: impl FnMut(usize) -> bool) {
        let mut end = end;
        while end > 0 {
            let first = end.saturating_sub(BLOCK);
            let mut block = Vec::new();
            self.each_holding(part, first..end, |place| {
                block.push(place);
                true
            });
            if !block.into_iter().rev().all(&mut take) {
                return;
            }
            end = first;
        }
    }

    /// The place of the name that this byte of the text belongs to, at or behind `from`. The next
    /// one that holds a part is near where many do, and far where few do.
    fn place_at(&self, from: usize, at: usize) -> usize {
        let mut step = 1;
        let mut low = from;
        while low + step < self.len() && self.starts[low + step] <= at {
            low += step;
            step *= 2;
        }
        let high = (low + step).min(self.len());
        low + self.starts[low..high].partition_point(|&start| start <= at) - 1
    }

    /// How many names stand up to and with this one.
    fn names_up_to(&self, name: &str) -> usize {
        self.partition(|place| self.name(place) <= name.as_bytes())
    }

    /// How many stand before this one.
    fn names_below(&self, name: &str) -> usize {
        self.partition(|place| self.name(place) < name.as_bytes())
    }

    fn partition(&self, is_before: impl Fn(usize) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if is_before(middle) { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The same in the order of time.
    fn times_up_to(&self, after: &After) -> usize {
        self.by_time.partition_point(|&place| self.timed(place) <= timed(after))
    }

    fn times_below(&self, after: &After) -> usize {
        self.by_time.partition_point(|&place| self.timed(place) < timed(after))
    }

    fn timed(&self, place: u32) -> (i64, &[u8]) {
        (self.times[place as usize], self.name(place as usize))
    }
}

/// A bit for each name.
struct Places(Vec<u64>);

impl Places {
    fn has(&self, place: usize) -> bool {
        self.0[place / 64] >> (place % 64) & 1 == 1
    }
}

fn timed(after: &After) -> (i64, &[u8]) {
    (after.updated_at, after.name.as_bytes())
}

impl Builder {
    /// The place of the name that comes next.
    fn place(&self) -> u32 {
        u32::try_from(self.times.len()).expect("no memory holds four billion names")
    }
}
