# An unchanged application behind the launcher: INJECT is the image that the Dockerfile at the top of
# this repository makes, APP the application's own.
ARG INJECT=inject
ARG APP

FROM ${INJECT} AS inject

FROM ${APP}
COPY --from=inject /bin/inject /bin/inject
# A Dockerfile takes one dollar for its own: `ENV DATABASE_URL=postgres://app:\$DB_PASSWORD_PROD@db/app`.
# The entrypoint of APP, if it has one, is written behind `--`: ["/bin/inject", "--", "/docker-entrypoint.sh"].
ENTRYPOINT ["/bin/inject", "--"]
# A new ENTRYPOINT forgets the base image's CMD, so it is said again.
CMD ["/app/server", "--port", "8080"]
