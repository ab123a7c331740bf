/**
 * The position of a change in the order of all changes of the store. The journal assigns it at the commit. Revisions
 * are safe integers and strictly increasing, and can have gaps. The revision of an empty store is 0.
 */
export type Revision = number;
