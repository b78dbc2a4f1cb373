//! Licences, sources and doubled versions of what the published packages depend on, by the rules of deny.toml.
//!
//! They are cargo-deny's rules, and `just deny` has cargo-deny check them. To build it takes longer than all tests, so this reads the same file and
//! checks the part of it that is used.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::Path,
};

use anyhow::{Context, bail};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Node, Package, PackageId};
use serde::Deserialize;

/// The rules.
const RULES: &str = "deny.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Licenses {
    allow: Vec<String>,
    /// For cargo-deny, which reads the texts of licences too.
    #[serde(rename = "confidence-threshold")]
    _confidence: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Bans {
    multiple_versions: String,
    /// Versions that may stand beside another.
    skip: Vec<Skip>,
    skip_tree: Vec<Skip>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Skip {
    name: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Sources {
    unknown_registry: String,
    unknown_git: String,
}

/// All that is built into what is published, and what of it is not below a skipped crate.
struct Shipped<'a> {
    all: BTreeSet<&'a PackageId>,
    unskipped: BTreeSet<&'a PackageId>,
}

/// Adds what `id` is built from, unless it is below a crate of `skip`.
fn walk<'a>(
    id: &'a PackageId,
    nodes: &HashMap<&PackageId, &'a Node>,
    names: &HashMap<&PackageId, &str>,
    skip: &BTreeSet<&str>,
    into: &mut BTreeSet<&'a PackageId>,
) {
    if names.get(id).is_some_and(|name| skip.contains(name)) || !into.insert(id) {
        return;
    }
    for dep in nodes.get(id).into_iter().flat_map(|node| &node.deps) {
        if dep
            .dep_kinds
            .iter()
            .any(|kind| kind.kind != DependencyKind::Development)
        {
            walk(&dep.pkg, nodes, names, skip, into);
        }
    }
}

impl<'a> Shipped<'a> {
    fn new(metadata: &'a Metadata, skip: &BTreeSet<&str>) -> anyhow::Result<Self> {
        let resolve = metadata
            .resolve
            .as_ref()
            .context("cargo resolved nothing")?;
        let nodes = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
        let packages = metadata.packages.iter();
        let names = packages
            .map(|package| (&package.id, package.name.as_str()))
            .collect();
        let (mut all, mut unskipped) = (BTreeSet::new(), BTreeSet::new());
        for package in metadata.workspace_packages() {
            // `publish = false` is an empty list of registries.
            if package.publish.as_ref().is_none_or(|to| !to.is_empty()) {
                let id = resolve
                    .nodes
                    .iter()
                    .map(|node| &node.id)
                    .find(|id| **id == package.id);
                let id = id.context("a package that was not resolved")?;
                walk(id, &nodes, &names, &BTreeSet::new(), &mut all);
                walk(id, &nodes, &names, skip, &mut unskipped);
            }
        }
        if all.len() < 2 {
            bail!("nothing is published, or cargo told nothing of it");
        }
        Ok(Self { all, unskipped })
    }
}

/// What is wrong with a package by itself.
fn faults(package: &Package, allow: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    let licence = package.license.as_deref().unwrap_or_default();
    let allowed =
        spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX).is_ok_and(|expression| {
            expression.evaluate(|wanted| {
                let id = wanted.license.id();
                id.is_some_and(|id| allow.iter().any(|allowed| allowed == id.name))
            })
        });
    if !allowed {
        wrong.push(format!(
            "{} {} has the licence {licence:?}, which {RULES} does not allow: do without it, or allow the licence there",
            package.name, package.version
        ));
    }
    let source = package.source.as_ref().map(|source| source.repr.as_str());
    if source.is_some_and(|source| !source.starts_with("registry+")) {
        wrong.push(format!(
            "{} {} comes from no registry: {source:?}",
            package.name, package.version
        ));
    }
    wrong
}

/// What is shipped and should not be.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let text = fs::read_to_string(root.join(RULES))?;
    let rules: Rules = toml::from_str(&text).with_context(|| RULES.to_owned())?;
    let strict = [
        &rules.bans.multiple_versions,
        &rules.sources.unknown_registry,
        &rules.sources.unknown_git,
    ];
    if strict.iter().any(|level| *level != "deny") {
        bail!("{RULES} has a rule that is not \"deny\", which this check cannot hold");
    }
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .features(cargo_metadata::CargoOpt::AllFeatures)
        .other_options(vec![
            "--locked".to_owned(),
            "--filter-platform".to_owned(),
            "x86_64-unknown-linux-gnu".to_owned(),
        ])
        .exec()?;
    let skip = rules
        .bans
        .skip_tree
        .iter()
        .map(|skip| skip.name.as_str())
        .collect();
    let shipped = Shipped::new(&metadata, &skip)?;
    let mut wrong = Vec::new();
    let mut versions = BTreeMap::<&str, BTreeSet<String>>::new();
    let mut registries = BTreeSet::new();
    for package in metadata
        .packages
        .iter()
        .filter(|package| shipped.all.contains(&package.id))
    {
        wrong.extend(faults(package, &rules.licenses.allow));
        registries.extend(package.source.as_ref().map(|source| &source.repr));
        let version = package.version.to_string();
        let may_be_doubled = rules.bans.skip.iter().any(|skip| {
            package.name == skip.name && version.starts_with(&format!("{}.", skip.version))
        });
        if shipped.unskipped.contains(&package.id) && !may_be_doubled {
            versions.entry(&package.name).or_default().insert(version);
        }
    }
    if registries.len() > 1 {
        wrong.push(format!("more than one registry: {registries:?}"));
    }
    let doubled = versions.iter().filter(|(_, versions)| versions.len() > 1);
    wrong.extend(doubled.map(|(name, versions)| {
        format!("{name} is there in several versions, {versions:?}: `cargo tree --duplicates` tells for whom")
    }));
    Ok(wrong)
}
