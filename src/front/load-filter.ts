import {
  type CertificateFilter,
  FilterUnavailable,
  loadCertificateFilter,
  NO_FILTER,
} from "../admission/certificate-filter.ts";
import type { Logger } from "../observability/logger.ts";

/** The filter of a front. If it can't be loaded, logs a warning and leaves OpenSSL to decode all certificates. */
export async function certificateFilter(log: Logger): Promise<CertificateFilter> {
  try {
    return await loadCertificateFilter();
  } catch (error) {
    if (!(error instanceof FilterUnavailable)) throw error;
    log.warn("certificates are not filtered", { detail: error.message });
    return NO_FILTER;
  }
}
