# In place of the public image, where no registry can be reached: Debian's PostgreSQL.
ARG BASE
FROM ${BASE}
RUN apt-get update -qq \
    && apt-get install -qq --no-install-recommends postgresql \
    && rm -r /var/lib/postgresql/* \
    && install --directory --owner postgres /var/lib/postgresql/data
COPY postgres-entrypoint /usr/local/bin/
ENTRYPOINT ["postgres-entrypoint"]
