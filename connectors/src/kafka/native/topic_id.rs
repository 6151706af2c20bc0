//! The ids that brokers give topics, which tell a topic from another of the same name made later.
//!
//! What librdkafka lends is copied before its owner ends.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};

use super::owned::Owned;

/// How much longer than the request librdkafka may take to report its end.
const GRACE: Duration = Duration::from_millis(500);

/// The ids of `topics`, as Kafka's own tools print them, from the broker with the number `broker`;
/// those for which it has none are not in the answer.
///
/// # Errors
/// When the broker does not answer within `patience`, or refuses to tell about a topic.
pub(in crate::kafka) fn topic_ids<C: ClientContext>(
    client: &Client<C>,
    (broker, patience): (i32, Duration),
    topics: &[&str],
) -> KafkaResult<BTreeMap<String, String>> {
    let names = topics.iter().map(|topic| CString::new(*topic));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let failed = || KafkaError::MetadataFetch(Code::CriticalSystemResource);
    let (request_ms, wait_ms) = (millis(patience), millis(patience + GRACE));
    let native = client.native_ptr();

    // SAFETY: `native` is a live client for as long as `client` is borrowed. `pointers` are
    // strings that end with NUL and live, as `names`, to the end of this function; librdkafka
    // copies them.
    // Each `Owned` is made of a pointer that its function gives to the caller, with the function
    // that librdkafka names for giving it back. `DescribeTopics` keeps none of its arguments but
    // the queue, which it counts.
    let event = unsafe {
        let describe = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let options = sys::rd_kafka_AdminOptions_new(native, describe);
        let options = Owned::new(options, sys::rd_kafka_AdminOptions_destroy);
        let collection =
            sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let collection = Owned::new(collection, sys::rd_kafka_TopicCollection_destroy);
        let queue = Owned::new(sys::rd_kafka_queue_new(native), sys::rd_kafka_queue_destroy);
        let (Some(options), Some(collection), Some(queue)) = (options, collection, queue) else {
            return Err(failed());
        };
        let mut reason = [0; 256];
        let set = sys::rd_kafka_AdminOptions_set_request_timeout(
            options.as_ptr(),
            request_ms,
            reason.as_mut_ptr(),
            reason.len(),
        );
        check(set)?;
        let set = sys::rd_kafka_AdminOptions_set_broker(
            options.as_ptr(),
            broker,
            reason.as_mut_ptr(),
            reason.len(),
        );
        check(set)?;
        sys::rd_kafka_DescribeTopics(
            native,
            collection.as_ptr(),
            options.as_ptr(),
            queue.as_ptr(),
        );
        let event = sys::rd_kafka_queue_poll(queue.as_ptr(), wait_ms);
        Owned::new(event, sys::rd_kafka_event_destroy)
    };
    let event = event.ok_or(KafkaError::MetadataFetch(Code::OperationTimedOut))?;

    let mut ids = BTreeMap::new();
    // SAFETY: `event` is a live event. The result, the descriptions in it, their names, errors and
    // ids are borrowed from the event, which lives to the end of this function, and are checked for
    // NULL; the array has `count` elements. The texts end with NUL and are copied.
    unsafe {
        check(sys::rd_kafka_event_error(event.as_ptr()))?;
        let result = sys::rd_kafka_event_DescribeTopics_result(event.as_ptr());
        if result.is_null() {
            return Err(failed());
        }
        let mut count = 0;
        let descriptions = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        let count = if descriptions.is_null() { 0 } else { count };
        for at in 0..count {
            let description = *descriptions.add(at);
            let error = sys::rd_kafka_TopicDescription_error(description);
            if !error.is_null() {
                check(sys::rd_kafka_error_code(error))?;
            }
            let name = sys::rd_kafka_TopicDescription_name(description);
            let id = sys::rd_kafka_TopicDescription_topic_id(description);
            if name.is_null() || id.is_null() || is_zero(id) {
                continue;
            }
            let text = sys::rd_kafka_Uuid_base64str(id);
            if !text.is_null() {
                ids.insert(copied(name), printed(&copied(text)));
            }
        }
    }
    Ok(ids)
}

/// # Safety
/// `id` points to a live id.
unsafe fn is_zero(id: *const sys::rd_kafka_Uuid_t) -> bool {
    // SAFETY: by this function's contract.
    unsafe {
        sys::rd_kafka_Uuid_most_significant_bits(id) == 0
            && sys::rd_kafka_Uuid_least_significant_bits(id) == 0
    }
}

/// # Safety
/// `text` is a live string that ends with NUL.
unsafe fn copied(text: *const c_char) -> String {
    // SAFETY: by this function's contract.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}

/// librdkafka prints ids in plain base64, Kafka in that for addresses.
fn printed(id: &str) -> String {
    id.replace('+', "-").replace('/', "_")
}

fn check(code: sys::rd_kafka_resp_err_t) -> KafkaResult<()> {
    match Code::from(code) {
        Code::NoError => Ok(()),
        code => Err(KafkaError::MetadataFetch(code)),
    }
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
