use super::{Reference, ReferenceError, SearchList, Source};
use std::path::PathBuf;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn full(text: &str) -> String {
    text.parse::<Reference>().map_or_else(|error| error.to_string(), |it| it.to_string())
}

#[test]
fn short_names_are_on_docker_hub() {
    assert_eq!(full("alpine"), "docker.io/library/alpine:latest");
    assert_eq!(full("user/app:1"), "docker.io/user/app:1");
    assert_eq!(full("docker.io/alpine"), "docker.io/library/alpine:latest");
    assert_eq!(full("index.docker.io/library/alpine:3"), "docker.io/library/alpine:3");
    assert_eq!(full(&format!("alpine@{DIGEST}")), format!("docker.io/library/alpine@{DIGEST}"));
    assert_eq!(full(&format!("a:1@{DIGEST}")), format!("docker.io/library/a:1@{DIGEST}"));
}

#[test]
fn the_first_part_is_a_registry_if_it_looks_like_one() {
    assert_eq!(full("localhost/a"), "localhost/a:latest");
    assert_eq!(full("localhost:5000/a/b:c"), "localhost:5000/a/b:c");
    assert_eq!(full("local/a"), "docker.io/local/a:latest");
    assert_eq!(full("ghcr.io/o/a"), "ghcr.io/o/a:latest");
    assert_eq!(full("GHCR.io/o/a"), "ghcr.io/o/a:latest");
    assert_eq!(full("[::1]:5000/a"), "[::1]:5000/a:latest");
    assert_eq!(full("[2001:db8::1]/a:t"), "[2001:db8::1]/a:t");
}

#[test]
fn familiar_names_mean_the_same_again() {
    for name in ["alpine:latest", "user/app:1", "ghcr.io/o/a:2", "localhost:5000/x:y"] {
        let reference: Reference = name.parse().unwrap();
        assert_eq!(reference.familiar(), name);
        assert_eq!(reference.familiar().parse::<Reference>().unwrap(), reference);
    }
    let deep: Reference = "docker.io/library/a/b".parse().unwrap();
    assert_eq!(deep.familiar(), "library/a/b:latest");
}

#[test]
fn what_the_grammar_forbids_is_refused_with_its_reason() {
    let error = |text: &str| text.parse::<Reference>().unwrap_err();
    assert_eq!(error(""), ReferenceError::Empty);
    assert_eq!(error("Alpine").to_string(), r#"image name "Alpine" must be in lower case: alpine"#);
    assert!(matches!(error("ghcr.io/Owner/a"), ReferenceError::UpperCase { .. }));
    // No host either: shown in lower case it would be a folder.
    assert!(matches!(error("User/a"), ReferenceError::UpperCase { .. }));
    for name in ["a//b", "/a", "a/", "-a", "a-", "a..b", "a___b", "a._b", "a b", "ä", "a/../b", "."]
    {
        assert!(matches!(error(name), ReferenceError::Component { .. }), "{name}");
    }
    for name in ["a.-b/c", "host:/a", "host:99999/a", "host:+1/a", "[::x]/a", "a..b/c", "-a.b/c"] {
        assert!(matches!(error(name), ReferenceError::Registry { .. }), "{name}");
    }
    for name in ["a:", "a:-b", "a:.b", "a:b c", &format!("a:{}", "x".repeat(129)), "a:b:c\n"] {
        let found = error(name);
        assert!(
            matches!(found, ReferenceError::Tag { .. } | ReferenceError::Component { .. }),
            "{name}: {found}"
        );
    }
    for name in ["a@", "a@sha256:ab", "a@md5:00", &format!("a@{}", DIGEST.to_uppercase())] {
        assert!(matches!(error(name), ReferenceError::Digest { .. }), "{name}");
    }
    assert_eq!(error(&format!("a/{}", "a".repeat(254))), ReferenceError::TooLong { length: 256 });
    // With `library/`, as it is shown in full.
    assert_eq!(error(&"a".repeat(248)), ReferenceError::TooLong { length: 256 });
    assert!(matches!(error(&DIGEST[7..]), ReferenceError::LooksLikeId { .. }));
}

#[test]
fn separators_within_a_component() {
    for name in ["a.b", "a_b", "a__b", "a-b", "a----b", "a0/b1/c2"] {
        assert_eq!(full(&format!("x.io/{name}")), format!("x.io/{name}:latest"));
    }
}

#[test]
fn a_search_list_gives_candidates_in_order() {
    let list =
        SearchList::new(["docker.io/library", "quay.io", "registry.local:5000/team"]).unwrap();
    let names = |text: &str| -> Vec<String> {
        list.candidates(text).unwrap().iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        names("app:1"),
        ["docker.io/library/app:1", "quay.io/app:1", "registry.local:5000/team/app:1"]
    );
    assert_eq!(names("user/app")[0], "docker.io/user/app:latest");
    assert_eq!(names("quay.io/x/y"), ["quay.io/x/y:latest"]);
    let none = SearchList::new([]).unwrap();
    assert!(matches!(none.candidates("app"), Err(ReferenceError::NoSearchList { .. })));
    assert!(SearchList::new(["bad_host/x"]).is_err());
}

#[test]
fn an_alias_stands_for_one_image() {
    let alias = ("fedora".to_owned(), "registry.example/fedora".to_owned());
    let list = SearchList::default().with_aliases([alias]);
    let first = |text: &str| list.candidates(text).unwrap()[0].to_string();
    assert_eq!(first("fedora:40"), "registry.example/fedora:40");
    assert_eq!(first("fedora"), "registry.example/fedora:latest");
    assert_eq!(first("fedora/app"), "docker.io/fedora/app:latest");
}

#[test]
fn sources_are_told_apart_by_their_prefix() {
    let parse = |text: &str| Source::parse(text).unwrap();
    let archive = |path: &str, name: Option<&str>| Source::DockerArchive {
        path: PathBuf::from(path),
        name: name.map(str::to_owned),
    };
    assert_eq!(parse("alpine:3"), Source::Registry("alpine:3".to_owned()));
    assert_eq!(parse("docker://alpine:3"), Source::Registry("alpine:3".to_owned()));
    assert_eq!(parse("docker:27"), Source::Registry("docker:27".to_owned()));
    assert_eq!(parse("localhost:5000/a"), Source::Registry("localhost:5000/a".to_owned()));
    assert_eq!(parse("docker-archive:a.tar"), archive("a.tar", None));
    assert_eq!(parse("docker-archive:a.tar:x:1"), archive("a.tar", Some("x:1")));
    assert_eq!(parse("dir:/a:b"), Source::Folder("/a:b".into()));
    assert_eq!(parse("host:"), Source::Host);
    assert_eq!(parse("hello"), Source::Hello);
    assert_eq!(parse("host:1"), Source::Registry("host:1".to_owned()));
    for bad in ["", "docker://", "docker:/a", "oci:", "oci-archive:", "dir:"] {
        assert!(Source::parse(bad).is_err(), "{bad}");
    }
    for text in ["docker://a", "oci:/x:y", "oci-archive:a", "dir:/r", "host:", "hello"] {
        assert_eq!(parse(text).to_string(), text);
    }
}
