//! Messages to a place of the operator's own choosing, such as a channel of a chat.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use serde_json::Value;
use url::Url;

use crate::http::{Broken, Http, Parcel};

/// Nobody reads the answer.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Why a message did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// No answer.
    #[error("no answer came: {0}")]
    Silent(&'static str),
    /// An answer that is no "thank you".
    #[error("the answer was {0}")]
    Refused(StatusCode),
}

/// Posts a JSON object, once. The address may hold a secret, and is told to nobody.
///
/// # Errors
/// It did not arrive, or was not taken.
pub async fn post(http: &Http, url: &Url, body: &Value) -> Result<(), NoticeError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let parcel = Parcel {
        method: Method::POST,
        url: url.clone(),
        headers,
        body: Some(Bytes::from(body.to_string())),
        answer_bytes_max: ANSWER_BYTES_MAX,
    };
    match http.carry(parcel).await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(NoticeError::Refused(answer.status())),
        Err(Broken::NeverSent(_)) => Err(NoticeError::Silent("no connection stood")),
        Err(Broken::Cut(cause)) if cause.timed_out => Err(NoticeError::Silent("the time was up")),
        Err(Broken::Cut(_)) => Err(NoticeError::Silent("the connection broke")),
        Err(Broken::TooLarge) => Ok(()),
    }
}
