// The database URL is only needed by `prisma migrate` and `prisma studio`; `prisma generate` works without one.
export default {
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env.DATABASE_URL ?? 'postgresql://127.0.0.1/weir' },
};
