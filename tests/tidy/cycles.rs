//! No cycles between files: a file uses only files below it, so a reader can begin at the bottom.
//!
//! A path counts for the file that defines its last name: a re-export is followed, and is no use by
//! itself. A file may use the `mod.rs` above it, which is the head of its folder, though the head
//! is made of such files. Tests are left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::paths::{Import, imports, inline_paths};
use crate::tree::{Source, Violation, rust_files};

const ROOTS: [&str; 4] = ["node/src/", "operator/src/", "proto/src/", "tests/src/"];

/// Folders whose cycles are not removed yet.
const UNFINISHED: [&str; 1] = ["node/src/consensus/"];

pub fn cycles() -> Vec<Violation> {
    let files = rust_files();
    let all = ROOTS.iter().flat_map(|root| Crate::of(root, &files).cycles());
    all.filter(|found| !UNFINISHED.iter().any(|folder| found.file.starts_with(folder))).collect()
}

/// One module, which is one file.
struct Module {
    file: String,
    imports: Vec<Import>,
    /// Absolute paths that its code names.
    paths: Vec<Vec<String>>,
}

/// The modules of a crate by their paths.
struct Crate(BTreeMap<Vec<String>, Module>);

impl Crate {
    fn of(root: &str, files: &[Source]) -> Self {
        let inside = files.iter().filter(|file| file.path.starts_with(root));
        let tested = inside.filter(|file| !is_test(&file.path));
        let mut modules: BTreeMap<_, _> = tested
            .map(|file| {
                let code = without_tests(&file.code());
                let path = module_path(&file.path[root.len()..]);
                (
                    path,
                    Module {
                        file: file.path.clone(),
                        imports: imports(&code),
                        paths: inline_paths(&code),
                    },
                )
            })
            .collect();
        let names: BTreeSet<Vec<String>> = modules.keys().cloned().collect();
        for (own, module) in &mut modules {
            for import in &mut module.imports {
                import.path = absolute(own, &import.path, &names).unwrap_or_default();
            }
            let imports = &module.imports;
            let through_import = |path: &[String]| {
                let import = imports.iter().find(|import| import.name == path[0])?;
                (!import.path.is_empty()).then(|| [&import.path, &path[1..]].concat())
            };
            let resolve =
                |path: &Vec<String>| absolute(own, path, &names).or_else(|| through_import(path));
            module.paths = module.paths.iter().filter_map(resolve).collect();
        }
        Self(modules)
    }

    /// The module that defines the last name of a path, through as many re-exports as there are.
    fn definer(&self, path: &[String], steps: u32) -> Option<&Vec<String>> {
        let (module, found) =
            (0..=path.len()).rev().find_map(|length| self.0.get_key_value(&path[..length]))?;
        let next = path.get(module.len())?;
        let re_export = found.imports.iter().find(|import| import.name == *next);
        match re_export.filter(|import| steps > 0 && !import.path.is_empty()) {
            Some(import) => self.definer(&import.path, steps - 1).or(Some(module)),
            None => Some(module),
        }
    }

    fn uses(&self, own: &[String], module: &Module) -> BTreeSet<&Vec<String>> {
        let imports = module.imports.iter().filter(|import| !import.is_public);
        let paths = imports.map(|import| &import.path).chain(&module.paths);
        let mut used: BTreeSet<_> = paths
            .filter_map(|path| match self.0.get_key_value(path.as_slice()) {
                // A module as a whole: the paths that begin with its name show what is used of it.
                Some(_) => None,
                None => self.definer(path, 8),
            })
            .collect();
        used.retain(|path| !own.starts_with(path));
        used
    }

    /// Each set of files that reach one another, as one violation at its first file.
    fn cycles(&self) -> Vec<Violation> {
        let uses: BTreeMap<_, _> =
            self.0.iter().map(|(path, it)| (path, self.uses(path, it))).collect();
        let reached: BTreeMap<_, _> = uses.keys().map(|path| (*path, reach(path, &uses))).collect();
        let mut seen = BTreeSet::new();
        let mut violations = Vec::new();
        for (path, reached_here) in &reached {
            let circle: Vec<_> =
                reached_here.iter().filter(|other| reached[**other].contains(*path)).collect();
            if circle.is_empty() || !seen.insert(circle.clone()) {
                continue;
            }
            let arrows = circle.iter().flat_map(|from| {
                let inside = uses[**from].iter().filter(|to| circle.contains(to));
                inside.map(|to| format!("{} -> {}", from.join("::"), to.join("::")))
            });
            let arrows: Vec<_> = arrows.collect();
            violations.push(Violation {
                file: self.0[*path].file.clone(),
                line: 1,
                message: format!("{} files in a cycle: {}", circle.len(), arrows.join(", ")),
            });
        }
        violations
    }
}

fn reach<'a>(
    from: &'a Vec<String>,
    uses: &BTreeMap<&'a Vec<String>, BTreeSet<&'a Vec<String>>>,
) -> BTreeSet<&'a Vec<String>> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<_> = uses[from].iter().copied().collect();
    while let Some(next) = waiting.pop() {
        if reached.insert(next) {
            waiting.extend(uses[next].iter().copied());
        }
    }
    reached
}

fn is_test(path: &str) -> bool {
    path.ends_with("_test.rs") || path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn without_tests(code: &str) -> String {
    let lines = code.lines().take_while(|line| !line.starts_with("mod tests {"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// `a/b.rs` and `a/b/mod.rs` are `a::b`; the crate's root is empty.
fn module_path(file: &str) -> Vec<String> {
    let file = file.trim_end_matches(".rs");
    let mut path: Vec<String> = file.split('/').map(str::to_owned).collect();
    if matches!(path.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        path.pop();
    }
    path
}

/// A path as seen from the crate's root; `None` for one into another crate or to a local name.
fn absolute(own: &[String], path: &[String], names: &BTreeSet<Vec<String>>) -> Option<Vec<String>> {
    let first = path.first()?.as_str();
    let below = |up: usize| own[..own.len().checked_sub(up)?].to_vec().into();
    let (base, rest): (Option<Vec<String>>, usize) = match first {
        "crate" => (Some(Vec::new()), 1),
        "self" => (Some(own.to_vec()), 1),
        "super" => {
            let supers = path.iter().take_while(|part| *part == "super").count();
            (below(supers), supers)
        }
        _ => {
            let child = [own, &path[..1]].concat();
            (names.contains(&child).then(|| own.to_vec()), 0)
        }
    };
    Some([base?.as_slice(), &path[rest..]].concat())
}

#[cfg(test)]
fn graph(files: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<_> = files
        .iter()
        .map(|(path, text)| Source { path: format!("x/{path}"), text: (*text).to_owned() })
        .collect();
    Crate::of("x/", &sources).cycles().into_iter().map(|violation| violation.message).collect()
}

#[test]
fn a_cycle_is_found_through_a_re_export_and_a_module_list_is_none() {
    let one_way = [
        ("a/mod.rs", "mod b;\nmod c;\npub use b::B;"),
        ("a/b.rs", "pub struct B;"),
        ("a/c.rs", "use super::B;"),
    ];
    assert_eq!(graph(&one_way), Vec::<String>::new());
    let circle = [
        ("a/mod.rs", "mod b;\nmod c;\npub use b::B;"),
        ("a/b.rs", "pub struct B(super::c::C);"),
        ("a/c.rs", "use crate::a::B;\npub struct C;\n#[cfg(test)]\nmod tests {\n}"),
    ];
    let [found] = &graph(&circle)[..] else { panic!("not one cycle: {:?}", graph(&circle)) };
    assert!(found.contains("2 files") && found.contains("a::b -> a::c"), "{found}");
    let in_tests =
        [("b.rs", "#[cfg(test)]\nmod tests {\n use crate::c::C;\n}"), ("c.rs", "use crate::b::B;")];
    assert_eq!(graph(&in_tests), Vec::<String>::new());
}
