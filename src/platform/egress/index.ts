export { DestinationGuard, DestinationRefused } from './destination.js';
export { Egress, EgressError, type EgressFailure, type EgressRequest, type EgressSink, type Exchange, type Transport } from './egress.js';
export { fetchBuffered, type WholeAnswer } from './fetch-buffered.js';
export { NamedDestinations } from './named-destinations.js';
export { isAnswer, PlainReply } from './plain-reply.js';
export { ProxyConnector } from './proxy.js';
