//  tool.m
#include <stdio.h>
#include <objc/objc.h>

int main(int argc, char **argv) {
    id thing = [[Thing alloc] init];
    [thing run];
    return 0;
}
