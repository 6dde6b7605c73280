//! Files at paths: each is staged in the folder of its place, and renamed onto it when all are
//! staged. If one of them fails, those before it are undone.

use std::rc::Rc;

use crate::launch::place::path::check::{Place, places};
use crate::launch::place::path::staged::Staged;
use crate::launch::problem::Problem;
use crate::launch::render::RenderedFile;
use crate::settings::Template;

mod check;
mod folder;
mod identity;
mod staged;

pub use self::identity::Inputs;

/// What can be told of the outputs before anything is fetched.
pub fn faults(templates: &[Template], inputs: &Inputs) -> Vec<Problem> {
    let outputs = templates.iter().filter_map(|template| template.target.output());
    places(outputs, inputs).err().unwrap_or_default()
}

/// Files that are complete but for their names.
pub struct StagedFiles(Vec<Staged>);

impl StagedFiles {
    /// Writes all, each in the folder of its place. The places are judged once more: the store may
    /// have taken its time, and a folder may be another one by now. From here on it is this one.
    pub fn stage(files: &[RenderedFile], inputs: &Inputs) -> Result<Self, Vec<Problem>> {
        let with_path =
            || files.iter().filter_map(|file| Some((file, file.target.as_ref()?.output()?)));
        let places = places(with_path().map(|(_, output)| output), inputs)?;
        remove_left(&places);
        let mut staged = Self(Vec::with_capacity(places.len()));
        let mut problems = Vec::new();
        for ((file, _), place) in with_path().zip(places) {
            let mut one = Staged::new(place);
            problems.extend(one.write(&file.contents).err());
            staged.0.push(one);
        }
        if problems.is_empty() {
            return Ok(staged);
        }
        problems.extend(staged.discard());
        Err(problems)
    }

    /// Gives all a name beside their places, then renames all.
    pub fn put(mut self) -> Result<(), Vec<Problem>> {
        let mut problems = self.put_all().err().unwrap_or_default();
        problems.extend(self.discard());
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn put_all(&mut self) -> Result<(), Vec<Problem>> {
        for one in &mut self.0 {
            one.link().map_err(|problem| vec![problem])?;
        }
        for index in 0..self.0.len() {
            if let Err(problem) = self.0[index].rename() {
                let done = self.0[..=index].iter_mut().rev();
                let not_undone = done.filter_map(|one| one.undo().err());
                return Err([problem].into_iter().chain(not_undone).collect());
            }
        }
        Ok(())
    }

    /// Removes all that stands beside the places, and tells what cannot be removed.
    pub fn discard(&mut self) -> Vec<Problem> {
        self.0.iter_mut().flat_map(Staged::discard).collect()
    }
}

/// Looks once into each folder for what a process that was killed left of these files.
fn remove_left(places: &[Place]) {
    let is_in = |place: &Place, other: &Place| Rc::ptr_eq(&place.folder, &other.folder);
    for (index, place) in places.iter().enumerate() {
        if !places[..index].iter().any(|other| is_in(place, other)) {
            let same = places.iter().filter(|other| is_in(place, other));
            place.folder.remove_left(same.map(Place::name));
        }
    }
}
