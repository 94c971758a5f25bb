# One image for the API, the worker and the `tally` command; the command line decides which of them runs.

FROM node:24-bookworm-slim AS base
WORKDIR /app
COPY package.json package-lock.json ./

# No package needs its install script: bullmq's msgpackr runs without its native part, and tsc comes ready to run.
FROM base AS build
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build-page.mjs scripts/
COPY src src
RUN npm run build && rm -f dist/.tsbuildinfo && chmod +x dist/cli/main.js

FROM base AS dependencies
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="Tally" \
      org.opencontainers.image.description="Answers calculations over HTTP and logs every one of them to InfluxDB: none lost, none counted twice." \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production
WORKDIR /app
RUN ln -s /app/dist/cli/main.js /usr/local/bin/tally
COPY package.json ./
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
# Last, because it changes with every commit.
ARG TALLY_COMMIT=unknown
ENV TALLY_COMMIT=${TALLY_COMMIT}
LABEL org.opencontainers.image.revision="${TALLY_COMMIT}"
USER node
# The API; its admin port; the worker's admin port.
EXPOSE 4000 4001 4002
# The exec form: node itself gets the SIGTERM. No shell, no npm in between.
CMD ["node", "dist/api/main.js"]
