// Lets plain Node require the sources as they are: for child processes of the specs, and for what Jest loads before its
// own module system is up.
//
//   node -r ./test/support/register-typescript.cjs -e "require('./src/main.ts')"
const { existsSync } = require('node:fs');
const { registerHooks } = require('node:module');
const { fileURLToPath } = require('node:url');

/** How specs and child processes compile TypeScript: the same as tsconfig.json says, without checking types. */
const SWC_OPTIONS = {
  jsc: {
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    target: 'es2024',
  },
  module: { type: 'commonjs' },
};

/** Sources name each other as the compiled files will be named: `./money.js` is `./money.ts`. */
registerHooks({
  resolve(specifier, context, nextResolve) {
    const isOurs = /^\.{1,2}\/.*\.js$/.test(specifier) && context.parentURL?.endsWith('.ts');
    if (!isOurs) return nextResolve(specifier, context);
    const source = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    return nextResolve(existsSync(source) ? fileURLToPath(source) : specifier, context);
  },
});

require.extensions['.ts'] = (module, filename) => {
  const { transformFileSync } = require('@swc/core');
  const { code } = transformFileSync(filename, { ...SWC_OPTIONS, swcrc: false, configFile: false, sourceMaps: 'inline' });
  module._compile(code, filename);
};

module.exports = { SWC_OPTIONS };
