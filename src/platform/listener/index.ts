export { TrustedProxies } from './addresses.js';
export { BadKeys } from './bad-keys.js';
export { BodyMemory } from './body-memory.js';
export { Connections } from './connections.js';
export { announcedBytes, readBody } from './read-body.js';
export { endWith, readRest } from './read-rest.js';
