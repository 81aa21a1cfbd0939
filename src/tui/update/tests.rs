//! The console's behaviour, without a terminal.

use crate::tui::model::resources::StateOfAffairs;
use crate::tui::scenes;

#[test]
fn the_scenes_are_what_they_are_called() {
    let size = (120, 40);
    assert_eq!(scenes::empty(size).state(), StateOfAffairs::Empty);
    assert_eq!(scenes::building(size).state(), StateOfAffairs::Deploying);
    assert_eq!(scenes::failed(size).state(), StateOfAffairs::Failed);
    assert_eq!(scenes::deployed(size).state(), StateOfAffairs::Ready);
    assert_eq!(scenes::destroying(size).state(), StateOfAffairs::Destroying);
}
