/** The number of a Put in the columns of a message. */
export const PUT = 0;

/** The number of a Delete in the columns of a message. */
export const DELETE = 1;
