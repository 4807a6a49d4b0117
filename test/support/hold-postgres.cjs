// Starts an embedded PostgreSQL, says its process id, and waits to be killed. Usage: node hold-postgres.cjs <data directory>
require('./register-typescript.cjs');
const { startEmbeddedPostgres } = require('../../src/platform/postgres/embedded.ts');

startEmbeddedPostgres({ dataDir: process.argv[2], durable: false }).then(({ pid }) => {
  console.log(pid);
  setInterval(() => {}, 60_000);
});
