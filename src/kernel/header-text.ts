/** What a header can carry as it is. */
const PLAIN = /^[\x20-\x7e]*$/;

/** Text for a header: what is not printable ASCII is percent-encoded as UTF-8. Total: half a surrogate pair becomes U+FFFD. */
export const headerText = (text: string): string =>
  PLAIN.test(text) ? text : text.toWellFormed().replace(/[^\x20-\x7e]+/g, encodeURIComponent);

/** Text of a caller for a header, so that `decodeURIComponent` gives it back: a percent sign is encoded as well. */
export const encodedText = (text: string): string => headerText(text.replaceAll('%', '%25'));
