# syntax=docker/dockerfile:1

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No install script of any package runs. Optional packages stay out: the pinned Node, which is the image's own here, and the embedded Postgres.
RUN npm ci --ignore-scripts --omit=dev --omit=optional
COPY tsconfig.json ./
COPY scripts ./scripts
COPY prisma ./prisma
COPY src ./src
RUN node scripts/prepare.mjs

FROM node:24-bookworm-slim
ENV NODE_ENV=production WEIR_HOME=/var/lib/weir WEIR_PUBLIC_HOST=0.0.0.0
WORKDIR /app
# Any user of group 0 may run it, as platforms do that choose the user id.
RUN install -d -o 1000 -g 0 -m 770 /var/lib/weir
COPY package.json LICENSE ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/prisma/migrations ./prisma/migrations
COPY --from=build /app/dist ./dist
# By number: Kubernetes looks whether it is root.
USER 1000
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.WEIR_ADMIN_PORT || 8081}/livez`).then((reply) => process.exit(reply.ok ? 0 : 1), () => process.exit(1))"]
# Short-lived objects of many calls at once fit into a larger young generation: less work for the collector. The other flags:
# docs/decisions, young garbage and compiled code.
CMD ["node", "--max-semi-space-size=64", "--no-allocation-site-pretenuring", "--retain-maps-for-n-gc=1000", "--no-memory-reducer-favors-memory", "--external-memory-accounted-in-global-limit", "--", "dist/main.js"]
