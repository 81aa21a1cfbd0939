//! How long each image of a trial took to each of its stages.

use crate::event::{Event, EventKind, TestUploadStage};

/// The images of a trial, in the order in which they were first heard of.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct TestUploadTiming {
    /// The images.
    pub images: Vec<ImageTiming>,
}

/// One image's way. Times are seconds since its upload began.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ImageTiming {
    /// The image, as the user named it.
    pub image: String,
    /// When it was in the source bucket.
    pub uploaded: Option<f64>,
    /// When the function began to work on it.
    pub invoked: Option<f64>,
    /// When its thumbnail was in the destination bucket.
    pub thumbnail: Option<f64>,
    /// When its thumbnail was in a file.
    pub saved: Option<f64>,
    /// Whether the function's process had to be started for it.
    pub cold: Option<bool>,
    /// How many bytes the image has.
    pub bytes_in: Option<u64>,
    /// How many bytes the thumbnail has.
    pub bytes_out: Option<u64>,
    /// Where the thumbnail was saved.
    pub path: Option<String>,
}

impl TestUploadTiming {
    /// The times that these events tell.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut trial = Self::default();
        for event in events {
            trial.apply(event);
        }
        trial
    }

    /// Takes in one more event.
    pub fn apply(&mut self, event: &Event) {
        let EventKind::TestUploadStage { image, stage, seconds, bytes, cold, path, .. } = &event.kind else { return };
        let known = self.images.iter().position(|known| known.image == *image);
        let index = known.unwrap_or_else(|| {
            self.images.push(ImageTiming { image: image.clone(), ..ImageTiming::default() });
            self.images.len() - 1
        });
        let timing = &mut self.images[index];
        match stage {
            TestUploadStage::Uploaded => {
                timing.uploaded = Some(*seconds);
                timing.bytes_in = bytes.or(timing.bytes_in);
            }
            TestUploadStage::Invoked => {
                timing.invoked = Some(*seconds);
                timing.cold = cold.or(timing.cold);
            }
            TestUploadStage::Thumbnail => {
                timing.thumbnail = Some(*seconds);
                timing.bytes_out = bytes.or(timing.bytes_out);
                timing.cold = cold.or(timing.cold);
            }
            TestUploadStage::Saved => {
                timing.saved = Some(*seconds);
                timing.path = path.clone().or_else(|| timing.path.take());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{RunId, VERSION};

    fn stage(image: &str, stage: TestUploadStage, seconds: f64, bytes: Option<u64>) -> Event {
        let (run, at) = (RunId::from_file_stem("1"), chrono::DateTime::UNIX_EPOCH);
        let (image, key) = (image.to_owned(), String::new());
        let kind = EventKind::TestUploadStage { image, stage, seconds, key, bytes, cold: None, path: None };
        Event { v: VERSION, run, seq: 0, at, kind }
    }

    #[test]
    fn images_keep_their_order_and_their_own_times() {
        let trial = TestUploadTiming::fold(&[
            stage("b.png", TestUploadStage::Uploaded, 0.1, Some(1000)),
            stage("a.jpg", TestUploadStage::Uploaded, 0.2, Some(2000)),
            stage("b.png", TestUploadStage::Thumbnail, 0.5, Some(10)),
        ]);
        let names: Vec<&str> = trial.images.iter().map(|image| image.image.as_str()).collect();
        assert_eq!(names, ["b.png", "a.jpg"]);
        assert_eq!(trial.images[0].thumbnail, Some(0.5));
        assert_eq!((trial.images[0].bytes_in, trial.images[0].bytes_out), (Some(1000), Some(10)));
        assert_eq!(trial.images[1].thumbnail, None);
    }
}
