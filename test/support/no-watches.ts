import type { WatchMethod } from "../../src/grpc/watch-route.ts";
import { shuttingDown } from "../../src/domain/errors.ts";

/** The method Watch of a server without a store: it refuses every call. */
export const NO_WATCHES: WatchMethod = {
  permit: () => {
    throw shuttingDown();
  },
  watches: undefined as never,
  counts: { watches: 0, events: 0 },
};
