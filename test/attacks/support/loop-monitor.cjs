// Preloaded into a process under attack. Whenever one turn of the event loop takes long, it writes how long: in CPU time of the main thread, which
// does not depend on what else runs on the machine.
const { appendFileSync } = require('node:fs');
const { isMainThread } = require('node:worker_threads');

const file = process.env.ATTACK_LOOP_LOG;
const LONG_MS = 25;

const cpuMs = () => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

if (isMainThread) {
  let cpu = cpuMs();
  const look = () => {
    const now = cpuMs();
    if (now - cpu >= LONG_MS) appendFileSync(file, `${JSON.stringify({ at: Date.now(), cpuMs: Math.round(now - cpu) })}\n`);
    cpu = cpuMs();
  };
  setInterval(look, 2).unref();
}
