import type { Store } from "../../ports/store.ts";
import type { UploadRate } from "./upload-rate.ts";

/**
 * A store whose puts together keep to a rate; a put that is tried again counts again. A body that the store links instead of reading
 * it is not uploaded, and costs nothing. Not for S3, whose client tries again by itself: there the rate is kept on the wire.
 */
export function withUploadRate(store: Store, rate: UploadRate): Store {
  return {
    ...store,
    put: async (key, body, options = {}) =>
      store.put(key, { ...body, open: () => rate.paced(body.open(), options.signal) }, options),
  };
}
