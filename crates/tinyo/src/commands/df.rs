//! `tinyo system df`: how much room things take.

use super::images::{age, id};
use crate::context::Context;
use crate::show::{ListFormat, bytes, print_columns, print_line, print_lines, print_table};
use anyhow::Result;
use clap::Args;
use engine::Room;
use image::Digest;
use image::store::{Image, Usage};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Each image by itself, too
    #[arg(short, long)]
    verbose: bool,
    /// table, json, or a template such as '{{.Type}} {{.Size}}'
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: ListFormat,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let store = context.store()?;
    let usage = store.usage()?;
    let (containers, volumes) = match context.engine_if_any()? {
        Some(engine) => (engine.room_of_containers()?, engine.room_of_volumes()?),
        None => (Room::default(), Room::default()),
    };
    let rooms = [("Containers", containers), ("Volumes", volumes)];
    let images = if arguments.verbose { store.images()? } else { Vec::new() };
    let shares = shares(&images);
    if arguments.format == ListFormat::Json {
        let mut value = usage_json(&usage);
        for (name, room) in rooms {
            value[name] = room_json(room);
        }
        if arguments.verbose {
            value["Details"] = shares.iter().map(share_json).collect();
        }
        return print_line(&value.to_string());
    }
    let rows = rows(&usage, rooms);
    match &arguments.format {
        ListFormat::Lines(template) => return print_lines(template, &records(&rows)),
        ListFormat::Columns(template) => {
            return print_columns(template, &HEADINGS, &records(&rows));
        }
        _ => print_table(&HEADINGS.map(|(_, heading)| heading), &rows)?,
    }
    if arguments.verbose {
        print_line("")?;
        print_shares(&shares)?;
    }
    Ok(())
}

const HEADINGS: [(&str, &str); 5] = [
    ("Type", "TYPE"),
    ("TotalCount", "TOTAL"),
    ("Active", "ACTIVE"),
    ("Size", "SIZE"),
    ("Reclaimable", "RECLAIMABLE"),
];

/// What templates show of the rows.
fn records(rows: &[Vec<String>]) -> Vec<Value> {
    let record = |row: &Vec<String>| {
        let fields = HEADINGS.iter().zip(row).map(|((name, _), cell)| (*name, cell.as_str()));
        // As Podman calls it.
        fields.chain([("Total", row[1].as_str())]).collect()
    };
    rows.iter().map(record).collect()
}

fn rows(usage: &Usage, rooms: [(&str, Room); 2]) -> Vec<Vec<String>> {
    let size = usage.layer_bytes + usage.blob_bytes;
    let images = Room {
        count: usage.images,
        active: usage.images_in_use,
        bytes: size,
        reclaimable: usage.reclaimable,
    };
    let mut rows = vec![row("Images", images)];
    rows.extend(rooms.map(|(name, room)| row(name, room)));
    rows.push(vec![
        "Downloads".to_owned(),
        String::new(),
        String::new(),
        bytes(usage.incoming_bytes),
        bytes(usage.incoming_bytes),
    ]);
    rows
}

fn row(name: &str, room: Room) -> Vec<String> {
    let share = (room.reclaimable * 100).checked_div(room.bytes).unwrap_or(0);
    vec![
        name.to_owned(),
        room.count.to_string(),
        room.active.to_string(),
        bytes(room.bytes),
        format!("{} ({share}%)", bytes(room.reclaimable)),
    ]
}

fn room_json(room: Room) -> Value {
    json!({
        "Count": room.count,
        "Active": room.active,
        "Bytes": room.bytes,
        "Reclaimable": room.reclaimable,
    })
}

fn usage_json(usage: &Usage) -> Value {
    json!({
        "Images": usage.images,
        "ImagesInUse": usage.images_in_use,
        "Layers": usage.layers,
        "LayerBytes": usage.layer_bytes,
        "BlobBytes": usage.blob_bytes,
        "Reclaimable": usage.reclaimable,
        "IncomingBytes": usage.incoming_bytes,
    })
}

/// An image, and how many bytes of its layers other images have as well.
struct Share<'a> {
    image: &'a Image,
    shared: u64,
    unique: u64,
}

fn shares(images: &[Image]) -> Vec<Share<'_>> {
    let mut owners: BTreeMap<&Digest, u64> = BTreeMap::new();
    for image in images {
        image.layers.iter().for_each(|layer| *owners.entry(&layer.diff_id).or_default() += 1);
    }
    let share = |image| {
        let mut share = Share { image, shared: 0, unique: 0 };
        for layer in &image.layers {
            let is_shared = owners.get(&layer.diff_id).is_some_and(|count| *count > 1);
            *(if is_shared { &mut share.shared } else { &mut share.unique }) += layer.bytes;
        }
        share
    };
    images.iter().map(share).collect()
}

fn print_shares(shares: &[Share<'_>]) -> Result<()> {
    let row = |share: &Share<'_>| {
        let name = share.image.names.first().map_or("<none>".to_owned(), |it| it.name.familiar());
        vec![
            name,
            id(&share.image.id, false),
            age(share.image),
            bytes(share.shared + share.unique),
            bytes(share.shared),
            bytes(share.unique),
            share.image.users.len().to_string(),
        ]
    };
    let heading =
        ["IMAGE", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"];
    print_table(&heading, &shares.iter().map(row).collect::<Vec<_>>())
}

fn share_json(share: &Share<'_>) -> Value {
    json!({
        "Id": share.image.id.as_str(),
        "Names": share.image.names.iter().map(|it| it.name.to_string()).collect::<Vec<_>>(),
        "SharedBytes": share.shared,
        "UniqueBytes": share.unique,
        "Containers": share.image.users.len(),
    })
}
