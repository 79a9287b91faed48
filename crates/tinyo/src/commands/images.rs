//! `tinyo images`.

use super::filter::{Filter, Filters, fits_pattern, labels_of};
use crate::context::Context;
use crate::show::{
    ListFormat, ago, bytes, print_columns, print_line, print_lines, print_rows, print_table,
};
use anyhow::Result;
use clap::Args;
use image::store::{Image, Named};
use image::{Digest, time};
use serde_json::{Value, json};
use std::time::SystemTime;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only images of this name, with or without a tag; * and ? stand for letters
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// The digests that registries know
    #[arg(long)]
    digests: bool,
    /// Only some: dangling=true, before=IMAGE, since=IMAGE, until=24h, label=NAME[=VALUE],
    /// reference=PATTERN
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<Filter>,
    /// Show whole digests
    #[arg(long)]
    no_trunc: bool,
    /// Print nothing but ids
    #[arg(short, long)]
    quiet: bool,
    /// All images, which is the default, as there are none in between
    #[arg(short, long)]
    all: bool,
    /// How to print the result: table, json, 'table TEMPLATE' or TEMPLATE, such as
    /// '{{.Repository}}:{{.Tag}}'
    #[arg(long, value_name = "FORMAT")]
    format: Option<ListFormat>,
    /// By what they are sorted [default: the newest first]
    #[arg(long, value_name = "FIELD", value_parser = ["created", "id", "repository", "size", "tag"])]
    sort: Option<String>,
    /// No heading
    #[arg(short = 'n', long)]
    noheading: bool,
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let store = context.store()?;
    let filters = Filters::new(context, &store, &arguments.filter)?;
    let mut images = Vec::new();
    for image in store.images()? {
        if filters.fit(&store, &image)? {
            images.push(image);
        }
    }
    let mut lines: Vec<_> = images
        .iter()
        .flat_map(lines_of)
        .filter(|line| arguments.name.as_ref().is_none_or(|name| line.is_called(context, name)))
        .filter(|line| filters.fit_name(line.name))
        .collect();
    match arguments.sort.as_deref() {
        Some("id") => lines.sort_by_key(|line| line.image.id.clone()),
        Some("repository") => lines.sort_by_key(Line::repository),
        Some("size") => lines.sort_by_key(|line| line.image.bytes()),
        Some("tag") => lines.sort_by_key(|line| line.tag().to_owned()),
        _ => {}
    }
    if arguments.quiet {
        return print_ids(&lines, arguments.no_trunc);
    }
    let records = || {
        let mut records: Vec<_> = lines.iter().map(|it| record(it, arguments.no_trunc)).collect();
        // They are in a file of each image.
        if arguments.format.as_ref().is_some_and(|format| format.mentions(".Label ")) {
            for (record, line) in records.iter_mut().zip(&lines) {
                record["Label"] = json!(labels_of(&store, line.image)?);
            }
        }
        Ok::<_, anyhow::Error>(records)
    };
    match &arguments.format {
        None | Some(ListFormat::Table) => print_text(&lines, arguments),
        Some(ListFormat::Json) => {
            print_line(&lines.iter().map(json).collect::<Value>().to_string())
        }
        Some(ListFormat::Lines(template)) => print_lines(template, &records()?),
        Some(ListFormat::Columns(template)) => print_columns(template, HEADINGS, &records()?),
    }
}

/// An image under one of its names, or without one.
struct Line<'a> {
    image: &'a Image,
    name: Option<&'a Named>,
}

fn lines_of(image: &Image) -> Vec<Line<'_>> {
    if image.names.is_empty() {
        return vec![Line { image, name: None }];
    }
    image.names.iter().map(|name| Line { image, name: Some(name) }).collect()
}

impl Line<'_> {
    /// Whether the name on the command line means it: without a tag, every tag.
    fn is_called(&self, context: &Context, text: &str) -> bool {
        let Some(named) = self.name else { return false };
        if text.contains(['*', '?']) {
            return fits_pattern(text, named);
        }
        let has_tag = text.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
        context.local_names(text).iter().any(|name| {
            let same_repository = name.repository() == named.name.repository();
            if has_tag { *name == named.name } else { same_repository }
        })
    }

    fn repository(&self) -> String {
        self.name.map_or("<none>".to_owned(), |named| named.name.repository().familiar())
    }

    fn tag(&self) -> &str {
        self.name.and_then(|named| named.name.tag()).unwrap_or("<none>")
    }

    fn digest(&self) -> &Digest {
        self.name.map_or(&self.image.manifest, |named| &named.digest)
    }
}

fn print_ids(lines: &[Line<'_>], in_full: bool) -> Result<()> {
    let mut ids: Vec<_> = lines.iter().map(|line| id(&line.image.id, in_full)).collect();
    ids.dedup();
    ids.iter().try_for_each(|id| print_line(id))
}

fn print_text(lines: &[Line<'_>], arguments: &Arguments) -> Result<()> {
    let mut heading = vec!["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"];
    if arguments.digests {
        heading.insert(2, "DIGEST");
    }
    let row = |line: &Line<'_>| {
        let mut row = vec![
            line.repository(),
            line.tag().to_owned(),
            id(&line.image.id, arguments.no_trunc),
            age(line.image),
            bytes(line.image.bytes()),
        ];
        if arguments.digests {
            row.insert(2, line.digest().to_string());
        }
        row
    };
    let rows: Vec<_> = lines.iter().map(row).collect();
    if arguments.noheading { print_rows(&rows) } else { print_table(&heading, &rows) }
}

/// A digest, short or in full.
pub(super) fn id(digest: &Digest, in_full: bool) -> String {
    if in_full { digest.to_string() } else { digest.short().to_owned() }
}

/// How long ago an image was made, if that is known.
pub(super) fn age(image: &Image) -> String {
    let created = image.created.as_deref().and_then(time::parse).filter(|created| *created > 0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |it| it.as_secs());
    created.map_or("N/A".to_owned(), |created| ago(now.saturating_sub(created)))
}

/// What templates can show, and what is above it.
const HEADINGS: &[(&str, &str)] = &[
    ("Repository", "REPOSITORY"),
    ("Tag", "TAG"),
    ("Digest", "DIGEST"),
    ("ID", "IMAGE ID"),
    ("Id", "IMAGE ID"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("Created", "CREATED AT"),
    ("Size", "SIZE"),
    ("Platform", "PLATFORM"),
    ("Containers", "CONTAINERS"),
    ("Names", "NAMES"),
    ("Label", ""),
];

/// The fields of Docker, as texts for people.
fn record(line: &Line<'_>, in_full: bool) -> Value {
    let created = line.image.created.as_deref().unwrap_or("N/A");
    let names = line.image.names.iter().map(|named| named.name.familiar());
    json!({
        "Repository": line.repository(),
        "Tag": line.tag(),
        "Digest": line.digest().as_str(),
        "ID": id(&line.image.id, in_full),
        "Id": id(&line.image.id, in_full),
        "CreatedSince": age(line.image),
        "CreatedAt": created,
        "Created": created,
        "Size": bytes(line.image.bytes()),
        "Platform": line.image.platform,
        "Containers": line.image.users.len(),
        "Names": names.collect::<Vec<_>>(),
    })
}

fn json(line: &Line<'_>) -> Value {
    json!({
        "Id": line.image.id.as_str(),
        "Repository": line.name.map(|named| named.name.repository().to_string()),
        "Tag": line.name.and_then(|named| named.name.tag()),
        "Digest": line.digest().as_str(),
        "Created": line.image.created,
        "Size": line.image.bytes(),
        "Platform": line.image.platform,
        "Containers": line.image.users.len(),
    })
}
