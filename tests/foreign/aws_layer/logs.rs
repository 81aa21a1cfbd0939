//! Following logs.

use thumbctl_deploy::aws::{Deleted, ErrorKind, logs};

use super::moto::Moto;
use super::tags;

thumbctl_test_support::foreign_tests! {
    [Moto] async: log_is_followed_from_before_its_creation_to_its_last_line;
}

async fn write_log(
    client: &aws_sdk_cloudwatchlogs::Client,
    group: &str,
    stream: &str,
    numbers: std::ops::Range<usize>,
) {
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = now.as_millis() as i64;
    let events = numbers
        .map(|number| {
            aws_sdk_cloudwatchlogs::types::InputLogEvent::builder()
                .timestamp(now)
                .message(format!("line {number}\n"))
                .build()
                .unwrap()
        })
        .collect();
    client
        .put_log_events()
        .log_group_name(group)
        .log_stream_name(stream)
        .set_log_events(Some(events))
        .send()
        .await
        .unwrap();
}

fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("line {number}")).collect()
}

fn texts(lines: Vec<logs::LogEvent>) -> Vec<String> {
    lines.into_iter().map(|line| line.text).collect()
}

async fn log_is_followed_from_before_its_creation_to_its_last_line() {
    let moto = moto_or_skip!();
    let client = aws_sdk_cloudwatchlogs::Client::new(&moto.config);
    let (group, stream) = ("/aws/codebuild/layer-6-build", "one");
    let mut tail = logs::LogTail::new(client.clone(), group, stream);
    assert!(tail.next().await.unwrap().is_empty());
    let mut group_tail = logs::GroupTail::new(client.clone(), group, 0);
    assert!(group_tail.next().await.unwrap().is_empty());

    logs::create_log_group(&client, group, &tags()).await.unwrap();
    logs::put_retention(&client, group, 7).await.unwrap();
    let again = logs::create_log_group(&client, group, &tags()).await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::AlreadyExists);
    assert!(tail.next().await.unwrap().is_empty());
    for stream in [stream, "two"] {
        let create = client.create_log_stream().log_group_name(group);
        create.log_stream_name(stream).send().await.unwrap();
    }
    assert!(tail.next().await.unwrap().is_empty());

    // More than a page, then a little more: each line once, in order.
    write_log(&client, group, stream, 0..9_000).await;
    write_log(&client, group, stream, 9_000..13_000).await;
    assert_eq!(texts(tail.drain().await.unwrap()), numbered(0..13_000));
    assert!(tail.caught_up());
    assert!(tail.drain().await.unwrap().is_empty());
    write_log(&client, group, stream, 13_000..13_003).await;
    assert_eq!(texts(tail.drain().await.unwrap()), numbered(13_000..13_003));

    let first = group_tail.next().await.unwrap();
    assert_eq!(first.len(), 13_003);
    write_log(&client, group, "two", 20_000..20_002).await;
    assert_eq!(texts(group_tail.next().await.unwrap()), numbered(20_000..20_002));
    assert!(group_tail.next().await.unwrap().is_empty());

    let streams = logs::latest_streams(&client, group, 5).await.unwrap();
    assert_eq!(streams.len(), 2);
    let listed = logs::list_log_groups(&client, "/aws/codebuild/layer-6-").await.unwrap();
    assert_eq!((&listed[0].name[..], &listed[0].tags), (group, &tags()));
    let found = logs::log_group(&client, group).await.unwrap().unwrap();
    assert_eq!(found.retention_days, Some(7));
    assert_eq!(logs::log_group_tags(&client, &found.arn).await.unwrap(), tags());
    // A name prefix does not match.
    let shorter = &group[..group.len() - 1];
    assert_eq!(logs::log_group(&client, shorter).await.unwrap(), None);

    let deleted = logs::delete_log_group(&client, group).await.unwrap();
    assert_eq!(deleted, Deleted::Now);
    let deleted = logs::delete_log_group(&client, group).await.unwrap();
    assert_eq!(deleted, Deleted::AlreadyGone);
    let none = logs::filter_events(&client, group, 0, None).await.unwrap();
    assert!(none.is_empty());
}
