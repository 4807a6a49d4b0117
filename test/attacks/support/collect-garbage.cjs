// Preloaded into a process whose live memory is measured: what `nodejs_heap_size_used_bytes` tells is then no garbage.
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');
const { isMainThread } = require('node:worker_threads');

if (isMainThread) {
  setFlagsFromString('--expose-gc');
  setInterval(runInNewContext('gc'), 1_000).unref();
}
