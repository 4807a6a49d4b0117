// Loaded into a process before its own code: it resolves names at ASK_NAME_SERVER, over real packets, instead of the servers of /etc/resolv.conf.
const dns = require('node:dns');
const resolver = new dns.Resolver({ timeout: 5_000, tries: 2 });
resolver.setServers([process.env.ASK_NAME_SERVER]);

const system = dns.lookup;
dns.lookup = (hostname, options, done) => {
  if (!hostname.endsWith('.example')) return system(hostname, options, done);
  resolver.resolve4(hostname, (error, addresses) =>
    error
      ? done(error)
      : done(
          null,
          addresses.map((address) => ({ address, family: 4 })),
        ),
  );
};
