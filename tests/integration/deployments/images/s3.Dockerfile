# In place of the public image, where no registry can be reached: the wheel's `weed`.
ARG BASE
FROM ${BASE}
RUN apt-get update -qq && apt-get install -qq --no-install-recommends busybox && ln -s busybox /usr/bin/wget
COPY weed /usr/local/bin/
