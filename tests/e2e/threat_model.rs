//! THREAT_MODEL.md claims what tests show: the tests that it names exist, and so do the files that it and the documents
//! for operators point to.

use std::collections::BTreeSet;

use regex::Regex;

use crate::invariants::{files_of, read, root};

const DOCUMENTS: [&str; 3] = ["THREAT_MODEL.md", "SECURITY.md", "docs/operations.md"];

/// Folders with tests, and whether a file there is a program of its own, whose name stands before its tests.
const FOLDERS: [(&str, bool); 11] = [
    ("identity-core/src", false),
    ("identity-core/tests", true),
    ("local-stack/src", false),
    ("local-stack/tests", true),
    ("portcullis/src", false),
    ("proto/src", false),
    ("runtime/src", false),
    ("scim-edge/src", false),
    ("scim-edge/tests", true),
    ("session-service/src", false),
    ("tests", true),
];

/// Every test as `cargo test` prints it.
fn tests() -> BTreeSet<String> {
    let test = Regex::new(r"#\[(?:tokio::)?test[^\]]*\]\s*(?:async )?fn (\w+)\(").expect("a pattern");
    let inside = Regex::new(r"(?m)^mod (\w+) \{").expect("a pattern");
    let mut all = BTreeSet::new();
    for (folder, programs) in FOLDERS {
        for (path, text) in files_of(folder, "rs") {
            let path = path.trim_start_matches(folder).trim_start_matches('/');
            let mut modules: Vec<_> = path.trim_end_matches(".rs").split('/').collect();
            modules.retain(|name| !["lib", "main", "mod"].contains(name));
            if !programs && modules.is_empty() {
                continue;
            }
            for found in test.captures_iter(&text) {
                let start = found.get(0).map_or(0, |whole| whole.start());
                let module = inside
                    .captures_iter(&text[..start])
                    .last()
                    .map(|module| module[1].to_owned());
                let path = modules.iter().copied().chain(module.as_deref()).chain([&found[1]]);
                all.insert(path.collect::<Vec<_>>().join("::"));
            }
        }
    }
    all
}

#[test]
fn every_test_that_is_named_exists() {
    let name = Regex::new(r"`((?:\w+::)+\w+)`").expect("a pattern");
    let document = read(&root().join(DOCUMENTS[0]));
    let named: BTreeSet<_> = name.captures_iter(&document).map(|found| found[1].to_owned()).collect();
    let tests = tests();
    let is_end_of = |name: &str| {
        tests
            .iter()
            .any(|test| test == name || test.ends_with(&format!("::{name}")))
    };
    let unknown: Vec<_> = named.iter().filter(|name| !is_end_of(name)).collect();
    assert!(unknown.is_empty(), "no such test: {unknown:#?}");
    assert!(
        named.len() > 60 && tests.len() > 300,
        "{} of {}",
        named.len(),
        tests.len()
    );
}

#[test]
fn every_property_has_its_tests_and_says_what_is_missing() {
    let document = read(&root().join(DOCUMENTS[0]));
    let properties: Vec<_> = document
        .split("\n### ")
        .filter(|part| part.starts_with(char::is_numeric))
        .collect();
    assert_eq!(properties.len(), 8);
    for property in properties {
        for part in ["\nHow: ", "\n| shown by |", "\nNot yet: "] {
            assert!(property.contains(part), "{part:?} is missing: {property}");
        }
    }
}

#[test]
fn every_file_that_is_pointed_to_exists() {
    let path = Regex::new(r"[`(]((?:[a-z][a-z.-]*/)+[\w.-]+\.(?:rs|sql|lua|md|toml))[`)]").expect("a pattern");
    for document in DOCUMENTS {
        let text = read(&root().join(document));
        for found in path.captures_iter(&text) {
            let (start, _) = found[1].split_once('/').expect("a folder");
            let missing = root().join(start).is_dir() && !root().join(&found[1]).is_file();
            assert!(!missing, "{document} points to {}", &found[1]);
        }
    }
}
