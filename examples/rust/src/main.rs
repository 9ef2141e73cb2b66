// SPDX-License-Identifier: LGPL-2.1-or-later
//! The batches of secondbatcher, read with nothing but gstreamer-rs.
//!
//! The argument is a pipeline with an appsink named "sink", behind a
//! secondbatcher or behind the shmframesrc of another process:
//!
//!     cargo run -- 'shmframesrc socket-path=/tmp/pairs ! appsink name=sink'
//!
//! Without it, two test sources are batched. With output=memory each stream is
//! one memory with all frames of the window.

use gst::prelude::*;

const DEFAULT: &str = "secondbatcher name=b output=memory ! appsink name=sink sync=false \
     videotestsrc num-buffers=75 ! video/x-raw,format=RGB,framerate=25/1 ! b. \
     videotestsrc num-buffers=150 ! video/x-raw,format=RGB,framerate=50/1 ! b.";

fn print_batch(batch: &gst::BufferRef) -> Option<()> {
    let meta = gst::meta::CustomMeta::from_buffer(batch, "GstSecondBatchMeta").ok()?;
    let s = meta.structure();
    println!("second {}", s.get::<u64>("index").ok()?);
    for k in 0..s.get::<u32>("n-streams").ok()? {
        let frames = s.get::<gst::BufferList>(&format!("buffers-{k}")).ok()?;
        let caps = s.get::<gst::Caps>(&format!("caps-{k}")).ok()?;
        println!("stream {k}: {} frames of {caps}", frames.len());
        if s.get::<bool>(&format!("contiguous-{k}")).ok()? && (k as usize) < batch.n_memory() {
            let stride = s.get::<u64>(&format!("frame-stride-{k}")).ok()? as usize;
            let window = batch.peek_memory(k as usize).map_readable().ok()?;
            for (t, frame) in window.chunks(stride).enumerate() {
                println!("  frame {t} begins with {:?}", &frame[..4]);
            }
        }
    }
    Some(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    gst::init()?;
    // a process that loads neither of the plugins has to name the meta itself
    if !gst::meta::CustomMeta::is_registered("GstSecondBatchMeta") {
        gst::meta::CustomMeta::register("GstSecondBatchMeta", &[]);
    }
    let line = std::env::args().nth(1).unwrap_or_else(|| DEFAULT.into());
    let pipeline = gst::parse::launch(&line)?
        .downcast::<gst::Pipeline>()
        .map_err(|_| "not a pipeline")?;
    let sink = pipeline
        .by_name("sink")
        .and_then(|e| e.downcast::<gst_app::AppSink>().ok())
        .ok_or("no appsink named \"sink\"")?;

    pipeline.set_state(gst::State::Playing)?;
    while let Ok(sample) = sink.pull_sample() {
        sample
            .buffer()
            .and_then(print_batch)
            .ok_or("a buffer that is no batch")?;
    }
    pipeline.set_state(gst::State::Null)?;
    Ok(())
}
