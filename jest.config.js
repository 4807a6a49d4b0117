const vm = require('node:vm');

// NestJS 12 is ESM only, and Jest can require() ESM only on this Node with this flag.
if (!vm.SourceTextModule)
  throw new Error('Jest needs --experimental-vm-modules on the pinned Node: run it with "npm test -- <arguments>".');

// Also for global setup: Jest does not apply moduleNameMapper to it.
const { SWC_OPTIONS } = require('./test/support/register-typescript.cjs');

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: '<rootDir>/test/support/jest/environment.js',
  runtime: '<rootDir>/test/support/jest/runtime.js',
  roots: ['<rootDir>/src', '<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  maxWorkers: 2,
  // A worker keeps the modules of every test file. Without a bound it fills its heap, and collecting garbage takes half of its time.
  workerIdleMemoryLimit: '1GB',
  // For a busy machine: how long a thing takes is measured in bench/, not here.
  testTimeout: 120_000,
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  reporters: ['default', '<rootDir>/test/support/closing-line.reporter.js'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.ts$': ['@swc/jest', SWC_OPTIONS] },
};
