const { createRequire } = require('node:module');
const vm = require('node:vm');
const { default: Runtime } = require('jest-runtime');

/** `@jest/globals` is made by Jest for each test file. */
const isPackage = (name) => !/^(\.{0,2}\/|@jest\/globals$)/.test(name);

const requires = new Map();
function requireFrom(file) {
  if (!requires.has(file)) requires.set(file, createRequire(file));
  return requires.get(file);
}

/**
 * Loads packages once for each worker, by Node itself: Jest's own runtime loads all 660 of them anew for each test file, which took half of the time of
 * a small one. What is ours is loaded for each file, as ever. Needs the environment beside it: packages and tests must share their globals.
 */
class SharedPackagesRuntime extends Runtime {
  constructor(...args) {
    super(...args);
    const { executor } = this;
    // As Jest's own does it, but in the context that packages are in.
    executor.compile = (source, filename) =>
      vm.compileFunction(source, executor.injectedModuleParameters, {
        filename,
        importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
      });
  }

  requireModule(from, name, options, isRequireActual) {
    if (name && !options?.isInternalModule && isPackage(name)) return requireFrom(from)(name);
    return super.requireModule(from, name, options, isRequireActual);
  }
}

module.exports = { __esModule: true, default: SharedPackagesRuntime };
