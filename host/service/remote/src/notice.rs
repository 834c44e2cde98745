//! Messages to a place of the operator's own choosing, such as a channel of a chat.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
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
    /// It cannot be sent to this address.
    #[error("no message can be sent to this address")]
    Address,
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
        Err(Broken::TooLarge) => Ok(()),
        Err(broken) => Err(silent(&broken)),
    }
}

/// Sends a request that another library has made, once, and gives the answer back whatever its status: for those that have no client of their own.
///
/// # Errors
/// No answer came.
pub async fn pass_on(http: &Http, request: Request<Bytes>) -> Result<Response<Bytes>, NoticeError> {
    let (head, body) = request.into_parts();
    let parcel = Parcel {
        method: head.method,
        url: Url::parse(&head.uri.to_string()).map_err(|_| NoticeError::Address)?,
        headers: head.headers,
        body: Some(body),
        answer_bytes_max: ANSWER_BYTES_MAX,
    };
    http.carry(parcel).await.map_err(|broken| silent(&broken))
}

fn silent(broken: &Broken) -> NoticeError {
    NoticeError::Silent(match broken {
        Broken::NeverSent(_) => "no connection stood",
        Broken::Cut(cause) if cause.timed_out => "the time was up",
        Broken::Cut(_) => "the connection broke",
        Broken::TooLarge => "the answer was too large",
    })
}
