#import "Table.h"

@interface Table ()
@property (nonatomic, strong) NSArray *rows;
@end

@implementation Table
- (NSInteger)numberOfRows { return self.rows.count; }
@end
