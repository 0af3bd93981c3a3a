//! Where a training run's events and checkpoints go: the progress line, and the checkpoint folder.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kd_core::train::{Event, Sink};
use kd_data::store::CheckpointStore;

use crate::progress::Progress;

/// Shows a run and keeps its checkpoints.
pub(crate) struct RunSink<'a> {
    progress: &'a mut Progress,
    store: &'a CheckpointStore,
    stop: Arc<AtomicBool>,
    every: Duration,
    last: Instant,
    batches: usize,
    latest: String,
}

impl<'a> RunSink<'a> {
    pub(crate) fn new(
        progress: &'a mut Progress,
        store: &'a CheckpointStore,
        stop: Arc<AtomicBool>,
        every: Duration,
    ) -> Self {
        Self { progress, store, stop, every, last: Instant::now(), batches: 0, latest: String::new() }
    }
}

impl Sink for RunSink<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Started { batches, at: (epoch, batch), .. } => {
                self.batches = batches;
                self.progress.set((epoch * batches + batch) as u64, "");
            }
            Event::Batch { epoch, done, loss, .. } => {
                let message = format!("loss {loss:.4}{}", self.latest);
                self.progress.set((epoch * self.batches + done) as u64, &message);
            }
            Event::Epoch(record) => {
                let measure = record.validation.iter().find(|measure| measure.value.is_some());
                self.latest = measure.map_or_else(String::new, |measure| {
                    format!(", val {} {:.4}", measure.name, measure.value.unwrap_or_default())
                });
            }
        }
    }

    fn checkpoint_due(&mut self) -> bool {
        self.last.elapsed() >= self.every
    }

    fn checkpoint(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.last = Instant::now();
        self.store.save(bytes).map_err(|error| error.to_string())
    }

    fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
