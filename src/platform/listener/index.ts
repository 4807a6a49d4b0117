export { TrustedProxies } from './addresses.js';
export { BadKeys } from './bad-keys.js';
export { BodyMemory } from './body-memory.js';
export { withoutMark } from './byte-order-mark.js';
export { Connections } from './connections.js';
export { jsonOfBody, keyTwice, textOfBody } from './json-body.js';
export { adviceAt, isAdminPath, type KnownRoute, methodsAt, nearestRoute } from './missing-path.js';
export { announcedBytes, readBody } from './read-body.js';
export { endWith, readRest } from './read-rest.js';
