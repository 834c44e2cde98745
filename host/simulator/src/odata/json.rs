//! JSON as something that can be filtered and sorted.

use rust_decimal::Decimal;
use serde_json::Value;

use super::Scalar;
use super::eval::Subject;

/// JSON as a record: properties named `…DateTime` hold points in time.
pub(crate) struct Json<'a>(pub(crate) &'a Value);

impl Json<'_> {
    fn at(&self, path: &[String]) -> &Value {
        path.iter()
            .fold(self.0, |value, name| &value[name.as_str()])
    }
}

impl Subject for Json<'_> {
    fn scalar(&self, path: &[String]) -> Scalar {
        match self.at(path) {
            Value::Bool(value) => Scalar::Bool(*value),
            Value::Number(number) => {
                let text = number.to_string();
                text.parse()
                    .or_else(|_| Decimal::from_scientific(&text))
                    .map_or(Scalar::Null, Scalar::Number)
            }
            Value::String(text) => {
                let is_time = path.last().is_some_and(|name| name.ends_with("DateTime"));
                match text.parse() {
                    Ok(time) if is_time => Scalar::Time(time),
                    _ => Scalar::Text(text.clone()),
                }
            }
            Value::Null | Value::Array(_) | Value::Object(_) => Scalar::Null,
        }
    }

    fn members(&self, path: &[String]) -> Vec<Box<dyn Subject + '_>> {
        let items = self
            .at(path)
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        items
            .iter()
            .map(|item| Box::new(Json(item)) as Box<dyn Subject>)
            .collect()
    }
}
