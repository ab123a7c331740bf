/**
 * Fetches a page of an ops listener. The listener answers 408 if it has not read a request after five seconds. If the machine
 * has suspended it for as long, the request was there, so it is sent again.
 */
export async function fetchOps(url: string, init: RequestInit = {}): Promise<Response> {
  for (;;) {
    const response = await fetch(url, init);
    if (response.status !== 408) return response;
  }
}
