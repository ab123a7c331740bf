import { loadCertificateFilter } from "../../src/admission/certificate-filter.ts";

/** The filter of all servers that a test creates in its own thread. */
export const FILTER = await loadCertificateFilter();
