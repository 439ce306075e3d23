// What a kernel does to a result before it stores it. The host generates EPILOGUE_PARAMETERS, epilogue1/4/8/16 and EPILOGUE_PREFETCH for a
// given list of stages and puts them in front of the file; where it did not, the epilogue is empty.
#ifndef EPILOGUE_PARAMETERS
#define EPILOGUE_PARAMETERS
#define EPILOGUE_ARGUMENTS
#define epilogue1(x, pixel, channel) (x)
#define epilogue4(x, pixel, channel) (x)
#define epilogue8(x, pixel, channel) (x)
#define epilogue16(x, pixel, channel) (x)
#define EPILOGUE_PREFETCH(pixel, channel)
#endif
