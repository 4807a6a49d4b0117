export { Currency, Money, Timestamp, unixSeconds, unixSecondsOrNull } from './fields.js';
export {
  componentsOf,
  headerComponents,
  headersNamed,
  type Json,
  type JsonObject,
  referenceTo,
  refusals,
  SERVERS,
  SHARED_INFO,
  withoutNullable,
} from './openapi-31.js';
