//! The times of a test upload's images.

use crate::event::{Event, EventKind, TestUploadStage};

/// The times of a test upload's images, in order of their first event.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct TestUploadTiming {
    /// The images.
    pub images: Vec<ImageTiming>,
}

/// The times of one image, in seconds since the start of its upload.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ImageTiming {
    /// The image's path, as given by the user.
    pub image: String,
    /// When it was in the source bucket.
    pub uploaded: Option<f64>,
    /// When the function started processing it.
    pub invoked: Option<f64>,
    /// When its thumbnail was in the destination bucket.
    pub thumbnail: Option<f64>,
    /// When its thumbnail was saved in a local file.
    pub saved: Option<f64>,
    /// Whether the invocation was a cold start.
    pub cold: Option<bool>,
    /// The size of the image in bytes.
    pub bytes_in: Option<u64>,
    /// The size of the thumbnail in bytes.
    pub bytes_out: Option<u64>,
    /// The file of the thumbnail.
    pub path: Option<String>,
}

impl TestUploadTiming {
    /// Folds events into times.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut timing = Self::default();
        for event in events {
            timing.apply(event);
        }
        timing
    }

    /// Applies one more event.
    pub fn apply(&mut self, event: &Event) {
        let EventKind::TestUploadStage { image, stage, seconds, bytes, cold, path, .. } = &event.kind else { return };
        let position = self.images.iter().position(|known| known.image == *image);
        let index = position.unwrap_or_else(|| {
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
    fn images_keep_order_and_separate_times() {
        let timing = TestUploadTiming::fold(&[
            stage("b.png", TestUploadStage::Uploaded, 0.1, Some(1000)),
            stage("a.jpg", TestUploadStage::Uploaded, 0.2, Some(2000)),
            stage("b.png", TestUploadStage::Thumbnail, 0.5, Some(10)),
        ]);
        let names: Vec<&str> = timing.images.iter().map(|image| image.image.as_str()).collect();
        assert_eq!(names, ["b.png", "a.jpg"]);
        assert_eq!(timing.images[0].thumbnail, Some(0.5));
        assert_eq!((timing.images[0].bytes_in, timing.images[0].bytes_out), (Some(1000), Some(10)));
        assert_eq!(timing.images[1].thumbnail, None);
    }
}
